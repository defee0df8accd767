/** Whether a copy on a node is only a cache: of data that the store holds, and nobody asked it to keep. */
import type { Epoch, NodeId, SnapshotId, VolumeName } from "../ids.ts";
import type { ProjectState } from "../record.ts";
import { isGivenUp } from "./given-up.ts";
import { isOwnEpoch, type NamedCopy } from "./own-copy.ts";

export interface CachedCopy extends NamedCopy {
  readonly epoch: Epoch;
  /** What its data equal; null: nothing that is known. */
  readonly snapshotId: SnapshotId | null;
}

export const isEvictable = (
  { deploy, volumes }: ProjectState,
  name: VolumeName,
  copy: CachedCopy,
  node: NodeId,
): boolean => {
  const volume = volumes[name];
  if (volume === undefined || volume.head === null || deploy !== null) return false;
  if (copy.snapshotId === null || volume.standbys.includes(node)) return false;
  switch (copy.role) {
    case "staging":
      return true;
    case "sealed":
      return (
        copy.epoch < volume.epoch &&
        !isOwnEpoch(volume, copy.epoch) &&
        !isGivenUp(copy, volume, node)
      );
    default:
      return false;
  }
};
