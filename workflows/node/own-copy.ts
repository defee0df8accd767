/**
 * Which of a node's copies holds the data of the epoch that it owns. A drain that was aborted changes
 * nothing in the directory, which goes on under the next epoch once its container starts again, or
 * is drained before that: then it still bears an older epoch's name.
 */
import type { Epoch } from "../ids.ts";
import type { Origin } from "../record.ts";

/** A copy as the node's disk names it. */
export interface NamedCopy {
  readonly role: "live" | "sealed" | "branch" | "staging";
  readonly epoch: Epoch;
}

interface Owned {
  readonly epoch: Epoch;
  readonly origin: Origin;
}

/** The oldest epoch whose directory may be the one that `epoch` goes on with. */
const oldestOf = ({ epoch, origin }: Owned): Epoch =>
  origin.kind === "local" ? origin.epoch : epoch;

/** Whether a directory of this epoch is, under whatever name, the data of the owned one. */
export const isOwnEpoch = (owned: Owned, epoch: Epoch): boolean =>
  oldestOf(owned) <= epoch && epoch <= owned.epoch;

/**
 * The newest copy of the owned lineage; undefined where the node has none. A sealed one of the very
 * epoch is not looked for: that is the seal's own result.
 */
export const findOwnCopy = <C extends NamedCopy>(
  copies: readonly C[],
  owned: Owned,
): C | undefined =>
  copies
    .filter(({ role, epoch }) => role === "live" || (role === "sealed" && epoch !== owned.epoch))
    .filter(({ epoch }) => isOwnEpoch(owned, epoch))
    .sort((a, b) => b.epoch - a.epoch)[0];
