/** What the API does: the same as a push, a queue message or the command line. */
import { randomUUID } from "node:crypto";
import * as z from "zod";
import { DeployId } from "../../workflows/ids.ts";
import { advanceProject } from "../advance-deploy/advance-project.ts";
import { HttpProblem } from "../http-problem.ts";
import { DeployRequested, SnapshotRequested } from "../messages.ts";
import { hintRequest, recordRequest } from "../request-deploy.ts";
import { requestSnapshots } from "../request-snapshot.ts";
import { type Endpoint, endpoint } from "./endpoint.ts";
import { loadProject, noSuch } from "./read-endpoints.ts";

const DeployOrder = DeployRequested.omit({ type: true, version: true, project: true });
const SnapshotOrder = SnapshotRequested.omit({ type: true, version: true, project: true });

const tooLate = (code: string, detail: string): HttpProblem =>
  new HttpProblem({ status: 409, code, detail });

export const WRITE_ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    ...{ method: "POST", path: "/v1/projects/{project}/deploys", id: "requestDeploy" },
    summary: "Ask for a deploy; the same `id` asks once, however often it is sent",
    body: DeployOrder,
    answers: { 202: z.object({ deployId: DeployId, requestId: z.string() }) },
    handle: async (ports, call, signal) => {
      const { project, settings } = await loadProject(ports, call, signal);
      const { id = randomUUID(), ref = settings.ref, commit, target, ...order } = call.body;
      const requestId = `api.${id}`;
      const request = {
        ...order,
        ...{ requestId, trigger: "api" as const, ref, requestedAtMs: ports.nowMs() },
        ...(commit !== undefined && { commit }),
        ...(target !== undefined && { target }),
      };
      const { deployId } = await recordRequest(ports, project, request, signal);
      await hintRequest(ports, project, requestId, signal);
      return { status: 202, body: { deployId, requestId } };
    },
  }),
  endpoint({
    ...{ method: "DELETE", path: "/v1/projects/{project}/deploys/{deploy}", id: "cancelDeploy" },
    summary: "Cancel a deploy; possible until its data are sealed",
    answers: { 202: z.object({ deployId: DeployId }) },
    handle: async (ports, call, signal) => {
      const { project, deploy, desired, history } = await loadProject(ports, call, signal);
      const deployId = DeployId.safeParse(call.path["deploy"]).data;
      const ended = history.find(({ id }) => id === deployId);
      if (ended !== undefined) throw tooLate("ended", `It is ${ended.result} already.`);
      const isThere = deployId === deploy?.id || deployId === desired?.deployId;
      if (deployId === undefined || !isThere) throw noSuch("deploy");
      const input = { type: "deploy.cancelled" as const, deployId, nowMs: ports.nowMs() };
      const { refusal } = await advanceProject(ports, { project, input, resend: false }, signal);
      if (refusal === null) return { status: 202, body: { deployId } };
      throw tooLate(refusal.code, `${refusal.message}; ${refusal.hint}`);
    },
  }),
  endpoint({
    ...{ method: "POST", path: "/v1/projects/{project}/snapshots", id: "requestSnapshots" },
    summary: "Ask for restore points of what runs; `snapshot.taken` tells when they are there",
    body: SnapshotOrder,
    answers: { 202: z.object({ requestId: z.string() }) },
    handle: async (ports, call, signal) => {
      const { project } = await loadProject(ports, call, signal);
      const { id = randomUUID(), volumes } = call.body;
      const order = { id: `api.${id}`, volumes, nowMs: ports.nowMs() };
      return {
        status: 202,
        body: { requestId: await requestSnapshots(ports, project, order, signal) },
      };
    },
  }),
];
