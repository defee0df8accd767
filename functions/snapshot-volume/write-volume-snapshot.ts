/** One snapshot of a node's copy of a volume, in a deploy or outside one: what both have in common. */
import { dataPath, indexPath } from "../../adapters/node-disk.ts";
import { volumePrefix } from "../../adapters/store-keys.ts";
import type { VolumeReport } from "../../workflows/deploy/messages.ts";
import type { DeployId, Epoch, SnapshotId, VolumeName } from "../../workflows/ids.ts";
import type { ProjectState, SnapshotRef } from "../../workflows/record.ts";
import { elapsedMs } from "../elapsed-ms.ts";
import type { NodePorts, OnVolumeProgress } from "../node-ports.ts";
import { openProjectKeys } from "../project-keys.ts";
import { chooseParent } from "../volume-copies.ts";

export interface SnapshotOrder {
  readonly state: ProjectState;
  readonly name: VolumeName;
  /** The copy whose data are taken. */
  readonly copy: string;
  readonly epoch: Epoch;
  readonly kind: SnapshotRef["kind"];
  readonly stopped?: SnapshotRef["stopped"];
  readonly deployId: DeployId | null;
  /** Neither was ever used before. */
  readonly snapshotId: SnapshotId;
  readonly attempt: string;
  /** Snapshots that may be built upon: they stay until this one is referred to. */
  readonly parents: readonly SnapshotId[];
  /** Whether data in packs of which little is left may be stored afresh. */
  readonly repack: boolean;
  readonly onProgress?: OnVolumeProgress;
}

/** On top of the newest of `parents` that the copy has an index of. */
export const writeVolumeSnapshot = async (
  ports: NodePorts,
  order: SnapshotOrder,
  signal: AbortSignal,
): Promise<
  VolumeReport & { readonly snapshot: SnapshotRef; readonly parent: SnapshotId | null }
> => {
  const { state, name, copy, epoch, kind, deployId, snapshotId, attempt, repack } = order;
  const began = ports.nowMs();
  const parent = await chooseParent(copy, new Set(order.parents));
  const indexFile = indexPath(copy, snapshotId);
  const summary = await ports.volumes.writeSnapshot(
    {
      prefix: volumePrefix(state.project, name),
      directory: dataPath(copy),
      indexFile,
      parentIndexFile: parent === null ? indexFile : indexPath(copy, parent),
      snapshotId,
      epoch,
      attempt,
      parent,
      keys: await openProjectKeys(ports.wrappingKeys, state),
      repack,
      isStill: kind === "final",
      isRound: kind === "live" && deployId !== null,
      onProgress: order.onProgress,
    },
    signal,
  );
  if (summary.skipped.length > 0) {
    ports.log.warn(
      { project: state.project, volume: name, skipped: summary.skipped },
      "snapshot.skipped",
    );
  }
  const { digest, files, bytes, storedBytes, changedBytes } = summary;
  const durationMs = elapsedMs(began, ports.nowMs());
  const stopped = order.stopped ?? "running";
  const size = { digest, files, bytes, storedBytes };
  const takenAtMs = ports.nowMs();
  return {
    snapshot: { id: snapshotId, epoch, takenAtMs, ...size, kind, stopped, deployId },
    changedBytes,
    durationMs,
    parent,
  };
};
