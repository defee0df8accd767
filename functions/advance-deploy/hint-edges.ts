/** Tells edges of ways into a project's containers that come, change or go. */
import * as z from "zod";
import { EDGES_PREFIX, routedKey } from "../../adapters/store-keys.ts";
import { findRoutes } from "../../workflows/edge/routes.ts";
import { NodeId } from "../../workflows/ids.ts";
import type { ProjectState } from "../../workflows/record.ts";
import type { ControlPorts } from "../control-ports.ts";
import { readJsonObject } from "../json-object.ts";
import { type EdgeHint, edgeQueue } from "../messages.ts";

/** An edge's sign of life. */
export const EdgeStatus = z.object({ edge: NodeId, atMs: z.int(), version: z.string() });
export type EdgeStatus = z.infer<typeof EdgeStatus>;

/** The queue of an edge that is gone for good is not filled for ever. */
const EDGE_STALE_MS = 10 * 60_000;

/** Before the first way in is committed, so that an edge which hears of nothing still finds it. */
export const markRouted = async (
  { store }: Pick<ControlPorts, "store">,
  before: ProjectState,
  next: ProjectState,
  signal: AbortSignal,
): Promise<void> => {
  if (findRoutes(before).length > 0 || findRoutes(next).length === 0) return;
  await store.put(routedKey(next.project), new Uint8Array(), {}, signal);
};

export const hintEdges = async (
  { store, send, nowMs }: Pick<ControlPorts, "store" | "send" | "nowMs">,
  before: ProjectState,
  now: ProjectState,
  signal: AbortSignal,
): Promise<void> => {
  if (JSON.stringify(findRoutes(before)) === JSON.stringify(findRoutes(now))) return;
  const hint: EdgeHint = { type: "edge.hint", version: 1, project: now.project };
  for await (const { key } of store.list(EDGES_PREFIX, signal)) {
    const status = await readJsonObject(store, key, EdgeStatus, signal);
    if (status === null || nowMs() - status.atMs > EDGE_STALE_MS) continue;
    await send(edgeQueue(status.edge), hint, signal);
  }
};
