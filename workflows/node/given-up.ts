/**
 * What a lost node sealed before it was given up, and the record never heard of: no cache of anything
 * in the store, but writes that this disk alone holds. It must not be changed, nor dropped.
 */
import type { Epoch, NodeId, SnapshotId } from "../ids.ts";
import type { VolumeState } from "../record.ts";

export const isGivenUp = (
  copy: { readonly epoch: Epoch; readonly snapshotId: SnapshotId | null },
  volume: Pick<VolumeState, "losses" | "snapshots">,
  node: NodeId,
): boolean =>
  volume.losses.some((loss) => loss.node === node && copy.epoch <= loss.epoch) &&
  !volume.snapshots.some(({ id }) => id === copy.snapshotId);
