/**
 * A node's lease: one small object that it renews, and the times that follow from it. Each side
 * counts on its own clock that never goes back: the node from before it sends a renewal, whoever
 * watches from after having seen one. No clock of one machine is compared with another's.
 */
import * as z from "zod";
import { LeaseSession, NodeId } from "../ids.ts";

export const Lease = z.object({
  node: NodeId,
  bootId: z.string(),
  session: LeaseSession,
  /** Never used twice: a lease that is alive changes, also when its agent starts again. */
  renewal: z.string().min(1),
  ttlMs: z.int().positive(),
  /** `project/volume` of all that the node's guard watches. */
  guards: z.array(z.string()),
});
export type Lease = z.infer<typeof Lease>;

/** Several renewals may fail before anything is stopped. */
export const renewEveryMs = (ttlMs: number): number => Math.floor(ttlMs / 3);

/** From the sending of the last renewal that succeeded until gates close and containers stop. */
export const guardAfterMs = (ttlMs: number): number => Math.floor((ttlMs * 5) / 6);

/** Within this all that the guard watches has ended, whatever grace period it asks for. */
export const stopWithinMs = (ttlMs: number): number => Math.floor(ttlMs / 3);

/**
 * From the sight of the last renewal until the session is over for certain: the lease, the time to
 * stop, and a tenth of it for clocks that do not run at the same pace.
 */
export const expireAfterMs = (ttlMs: number): number =>
  ttlMs + stopWithinMs(ttlMs) + Math.ceil((ttlMs * 2) / 15);

/** What was seen last of each node's lease, and when by the watcher's own clock. */
export type SeenLeases = ReadonlyMap<NodeId, { readonly lease: Lease; readonly sinceMs: number }>;

export interface Watched {
  readonly seen: SeenLeases;
  /** Leases whose session is over. */
  readonly expired: readonly Lease[];
}

/** One look at all leases. `nowMs` is a monotonic time from after the leases were read. */
export const watchLeases = (seen: SeenLeases, leases: readonly Lease[], nowMs: number): Watched => {
  const next = new Map<NodeId, { lease: Lease; sinceMs: number }>();
  const expired: Lease[] = [];
  for (const lease of leases) {
    const known = seen.get(lease.node);
    const isSame = known?.lease.session === lease.session && known.lease.renewal === lease.renewal;
    const sinceMs = isSame ? known.sinceMs : nowMs;
    next.set(lease.node, { lease, sinceMs });
    if (nowMs - sinceMs >= expireAfterMs(lease.ttlMs)) expired.push(lease);
  }
  return { seen: next, expired };
};

/** Names of the project's volumes among those that the lease's guard watches. */
export const guardedVolumes = (lease: Lease, project: string): string[] =>
  lease.guards.flatMap((name) => {
    const [owner, volume] = name.split("/");
    return owner === project && volume !== undefined ? [volume] : [];
  });

export const guardedProjects = (lease: Lease): string[] => [
  ...new Set(lease.guards.flatMap((name) => name.split("/").slice(0, 1))),
];
