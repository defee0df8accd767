/** What each node last said of itself. */
import {
  CORDONS_PREFIX,
  cordonKey,
  heartbeatKey,
  NODES_PREFIX,
} from "../../adapters/store-keys.ts";
import type { ObjectInfo, ObjectStore } from "../../volume/object-store.ts";
import { NodeStatus } from "../../workflows/placement/node-status.ts";
import type { ControlPorts } from "../control-ports.ts";
import { readJsonObject } from "../json-object.ts";

/**
 * When each was heard is told by this process's clock, from the store's word for how long ago that is:
 * the nodes' own clocks may be a day off. Two LISTs, and a GET for each node that has beaten since this
 * process last looked: with many deploys at once, or many nodes, to read them all for every plan would
 * be most of what a deploy costs.
 */
export const readNodes = async (
  { store, nowMs }: Pick<ControlPorts, "store" | "nowMs">,
  signal: AbortSignal,
): Promise<NodeStatus[]> => {
  const cordoned = new Set<string>();
  for await (const { key } of store.list(CORDONS_PREFIX, signal)) cordoned.add(key);
  const before = seen.get(store);
  const now = new Map<string, Seen>();
  const nodes: NodeStatus[] = [];
  for await (const found of store.list(NODES_PREFIX, signal)) {
    const { key, etag } = found;
    const status = await readStatus(store, found, before?.get(key), signal);
    if (status === null) continue;
    if (etag !== undefined) now.set(key, { etag, status });
    if (heartbeatKey(status.node) !== key) continue;
    nodes.push({
      ...status,
      ...(found.ageMs !== undefined && { atMs: nowMs() - found.ageMs }),
      cordoned: status.cordoned || cordoned.has(cordonKey(status.node)),
    });
  }
  seen.set(store, now);
  return nodes;
};

interface Seen {
  readonly etag: string;
  readonly status: NodeStatus;
}

/** Of each store that this process works on: one, in all but tests. */
const seen = new WeakMap<ObjectStore, Map<string, Seen>>();

const readStatus = async (
  store: ObjectStore,
  { key, etag }: ObjectInfo,
  known: Seen | undefined,
  signal: AbortSignal,
): Promise<NodeStatus | null> =>
  known !== undefined && known.etag === etag
    ? known.status
    : await readJsonObject(store, key, NodeStatus, signal);
