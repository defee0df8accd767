/** Asks for snapshots now, where the request can't be lost: as an object that stays until it is taken up. */
import * as z from "zod";
import { pendingKey } from "../adapters/store-keys.ts";
import { type ProjectId, VolumeName } from "../workflows/ids.ts";
import { encodeJson } from "./json-object.ts";
import { hintRequest, type RequestPorts } from "./request-deploy.ts";
import { snapshotRequestId } from "./snapshot-volume/snapshot-report-id.ts";

export const SnapshotRequest = z.strictObject({
  requestId: z.string(),
  /** Empty: all that a node writes. */
  volumes: z.array(VolumeName),
  requestedAtMs: z.int(),
});
export type SnapshotRequest = z.infer<typeof SnapshotRequest>;

/** Safe to repeat with the same id. Returns the id by which the record knows the request. */
export const requestSnapshots = async (
  ports: RequestPorts,
  project: ProjectId,
  { id, volumes, nowMs }: { id: string; volumes: readonly VolumeName[]; nowMs: number },
  signal: AbortSignal,
): Promise<string> => {
  const requestId = snapshotRequestId(id);
  const request: SnapshotRequest = { requestId, volumes: [...volumes], requestedAtMs: nowMs };
  await ports.store.put(pendingKey(project, requestId), encodeJson(request), {}, signal);
  await hintRequest(ports, project, requestId, signal);
  return requestId;
};
