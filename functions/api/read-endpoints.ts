/** What the API tells: projects, deploys, volumes, nodes. Each call reads the record anew. */
import * as z from "zod";
import { receiptKey } from "../../adapters/store-keys.ts";
import { DeployId, VolumeName } from "../../workflows/ids.ts";
import { mapRecord } from "../../workflows/keys-of.ts";
import { EndedDeploy, type ProjectState } from "../../workflows/record.ts";
import { readNodes } from "../advance-deploy/read-nodes.ts";
import { HttpProblem } from "../http-problem.ts";
import { readJsonObject } from "../json-object.ts";
import { type ApiPorts, type Call, type Endpoint, endpoint } from "./endpoint.ts";
import {
  EndedDeployView,
  NodeView,
  ProjectView,
  RunningDeployView,
  VolumeView,
  viewEnded,
  viewNode,
  viewProject,
  viewRunning,
  viewVolume,
} from "./views.ts";

export const noSuch = (what: string): HttpProblem =>
  new HttpProblem({ status: 404, code: "not-found", detail: `There is no such ${what}.` });

/** The project that the path names, which the caller may see. */
export const loadProject = async (
  ports: ApiPorts,
  { project }: Pick<Call<unknown, unknown>, "project">,
  signal: AbortSignal,
): Promise<ProjectState> => {
  const loaded = project === null ? null : await ports.records.load(project, signal);
  if (loaded === null) throw noSuch("project");
  return loaded.state;
};

export const READ_ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    ...{ method: "GET", path: "/v1/projects/{project}", id: "readProject" },
    summary: "What runs where, and the running or last deploy",
    answers: { 200: ProjectView },
    handle: async (ports, call, signal) => ({
      status: 200,
      body: viewProject(await loadProject(ports, call, signal)),
    }),
  }),
  endpoint({
    ...{ method: "GET", path: "/v1/projects/{project}/deploys", id: "listDeploys" },
    summary: "The running deploy and the last that ended, newest first",
    answers: { 200: z.array(z.union([RunningDeployView, EndedDeployView])) },
    handle: async (ports, call, signal) => {
      const { deploy, history } = await loadProject(ports, call, signal);
      const running = deploy === null ? [] : [viewRunning(deploy)];
      return { status: 200, body: [...running, ...history.map(viewEnded).reverse()] };
    },
  }),
  endpoint({
    ...{ method: "GET", path: "/v1/projects/{project}/deploys/{deploy}", id: "readDeploy" },
    summary: "One deploy, also one that ended long ago",
    answers: { 200: z.union([RunningDeployView, EndedDeployView]) },
    handle: async (ports, call, signal) => {
      const { project, deploy, history } = await loadProject(ports, call, signal);
      const id = DeployId.safeParse(call.path["deploy"]);
      if (!id.success) throw noSuch("deploy");
      if (deploy?.id === id.data) return { status: 200, body: viewRunning(deploy) };
      const ended =
        history.find((one) => one.id === id.data) ??
        (await readJsonObject(ports.store, receiptKey(project, id.data), EndedDeploy, signal));
      if (ended === null) throw noSuch("deploy");
      return { status: 200, body: viewEnded(ended) };
    },
  }),
  endpoint({
    ...{ method: "GET", path: "/v1/projects/{project}/volumes", id: "listVolumes" },
    summary: "Volumes with their owners, restore points and branches",
    answers: { 200: z.record(VolumeName, VolumeView) },
    handle: async (ports, call, signal) => {
      const { volumes } = await loadProject(ports, call, signal);
      return { status: 200, body: mapRecord(volumes, viewVolume) };
    },
  }),
  endpoint({
    ...{ method: "GET", path: "/v1/nodes", id: "listNodes" },
    summary: "Nodes with their last heartbeat",
    answers: { 200: z.array(NodeView) },
    handle: async (ports, _call, signal) => ({
      status: 200,
      body: (await readNodes(ports, signal)).map(viewNode),
    }),
  }),
];
