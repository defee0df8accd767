/**
 * What the record says of garbage: what must stay in the store, and which attempts are over, so that
 * nothing will ever refer to what they wrote. The rule that puts the two together is the engine's.
 */
import type { Epoch, SnapshotId, VolumeName } from "../ids.ts";
import type { ProjectState, VolumeState } from "../record.ts";

export interface VolumeGarbage {
  readonly roots: readonly SnapshotId[];
  readonly currentEpoch: Epoch;
  readonly endedAttempts: { readonly has: (attempt: string) => boolean };
}

/** Null for a volume that the record does not know. */
export const garbageRule = (state: ProjectState, name: VolumeName): VolumeGarbage | null => {
  const volume = state.volumes[name];
  return volume === undefined
    ? null
    : {
        roots: findRoots(state, name),
        currentEpoch: volume.epoch,
        endedAttempts: { has: (attempt) => isOverAttempt(state, volume, attempt) },
      };
};

/** Head, restore points, what clones refer to, and what a running deploy has copied, sealed or goes back to. */
export const findRoots = (state: ProjectState, name: VolumeName): SnapshotId[] => {
  const volume = state.volumes[name];
  const move = state.deploy?.volumes[name];
  const ids = [
    ...(volume?.snapshots.map(({ id }) => id) ?? []),
    ...(volume?.head === null || volume === undefined ? [] : [volume.head.id]),
    ...(volume?.pins.map(({ snapshotId }) => snapshotId) ?? []),
    // What is published is compared with by the next publish; its target is being read.
    ...[volume?.publication?.snapshotId, volume?.publication?.target].filter((id) => id != null),
    ...(volume?.origin.kind === "snapshot" ? [volume.origin.snapshotId] : []),
    ...(move?.copies.map(({ snapshotId }) => snapshotId) ?? []),
    ...(move?.sealed === null || move === undefined ? [] : [move.sealed.id]),
    ...(move?.restore === null || move === undefined ? [] : [move.restore]),
  ];
  return [...new Set(ids)];
};

/**
 * An attempt is named after its deploy, or after its number in the volume's sequence: the record has gone
 * past a number when what was taken under it was taken up, or never will be.
 */
export const isOverAttempt = (
  state: Pick<ProjectState, "endedAttempts">,
  { sequence }: Pick<VolumeState, "sequence">,
  attempt: string,
): boolean => {
  const [name = ""] = attempt.split(".");
  const number = /^live-(\d+)$/.exec(name)?.[1];
  if (number !== undefined) return Number(number) < sequence;
  return state.endedAttempts.some((id) => id === name);
};
