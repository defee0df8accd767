/**
 * Puts a request where it can't be lost: an object that stays until a record holds the request. The
 * hint that follows it may be lost; the sweep finds the object.
 */
import { createHash } from "node:crypto";
import { pendingKey } from "../adapters/store-keys.ts";
import type { ObjectStore } from "../volume/object-store.ts";
import { DeployId, type ProjectId } from "../workflows/ids.ts";
import type { Desired } from "../workflows/record.ts";
import { encodeJson } from "./json-object.ts";
import { CONTROL_QUEUE, type ProjectHint } from "./messages.ts";

export interface RequestPorts {
  readonly store: ObjectStore;
  readonly send: (queue: string, message: unknown, signal: AbortSignal) => Promise<void>;
}

const DEPLOY_ID_DIGITS = 12;

/** The same request always becomes the same deploy, however often it arrives. */
export const deployIdOf = (project: ProjectId, requestId: string): DeployId =>
  DeployId.parse(
    createHash("sha256")
      .update(`${project}\n${requestId}`)
      .digest("hex")
      .slice(0, DEPLOY_ID_DIGITS),
  );

/** Stores the request. Safe to repeat. */
export const recordRequest = async (
  ports: Pick<RequestPorts, "store">,
  project: ProjectId,
  request: Omit<Desired, "deployId">,
  signal: AbortSignal,
): Promise<Desired> => {
  const desired: Desired = { ...request, deployId: deployIdOf(project, request.requestId) };
  await ports.store.put(pendingKey(project, request.requestId), encodeJson(desired), {}, signal);
  return desired;
};

export const hintRequest = async (
  ports: Pick<RequestPorts, "send">,
  project: ProjectId,
  requestId: string,
  signal: AbortSignal,
): Promise<void> => {
  const hint: ProjectHint = { type: "project.hint", version: 1, project, requestId, resend: false };
  await ports.send(CONTROL_QUEUE, hint, signal);
};
