/**
 * Takes up a snapshot that an owner took outside a deploy, or notes why there is none. Only from the
 * node and the epoch that write the volume now; only on a parent that is retained, because then nothing
 * below it can have been collected; and each number of the volume's sequence once, which is what tells
 * an abandoned attempt.
 */
import { SNAPSHOTS_HELD_MAX } from "../deploy/limits.ts";
import {
  changed,
  type Decision,
  type InputOf,
  type SnapshotReport,
  UNCHANGED,
} from "../deploy/messages.ts";
import type { ProjectState, SnapshotRef, VolumeState } from "../record.ts";
import { chooseSnapshots } from "../retention/choose-snapshots.ts";
import { isMoving, liveWriter } from "./live-writer.ts";
import { addTry } from "./request-snapshot.ts";

type Reported = InputOf<"snapshot.reported">;

export const receiveSnapshot = (state: ProjectState, input: Reported): Decision => {
  const { report } = input;
  const { volume: name, node, epoch, sequence } = report;
  const volume = state.volumes[name];
  if (volume === undefined || volume.epoch !== epoch || volume.sequence !== sequence) {
    return UNCHANGED;
  }
  if (liveWriter(state, name) !== node) return UNCHANGED;
  const failure = findFailure(state, volume, input);
  const ended = endTry(volume, report, failure);
  const data = { project: state.project, volume: name, node, requests: report.requestIds };
  const put = (next: VolumeState): ProjectState => ({
    ...state,
    volumes: { ...state.volumes, [name]: next },
  });
  if (failure !== null || report.snapshot === null) {
    return changed(put(ended), { type: "snapshot.failed", data: { ...data, ...failure } });
  }
  const { snapshot } = report;
  const kept = isMoving(state, name)
    ? { kept: [...volume.snapshots, snapshot], dropped: [] }
    : retain(volume, snapshot);
  return changed(put({ ...ended, head: snapshot, snapshots: kept.kept }), {
    type: "snapshot.taken",
    data: {
      ...data,
      snapshot: snapshot.id,
      storedBytes: snapshot.storedBytes,
      dropped: kept.dropped.map(({ id }) => id),
    },
  });
};

const retain = (volume: VolumeState, snapshot: SnapshotRef) =>
  chooseSnapshots([...volume.snapshots, snapshot], volume.settings.keep, [snapshot.id]);

const findFailure = (
  state: ProjectState,
  volume: VolumeState,
  { report, parent, isWhole }: Reported,
): SnapshotReport["failure"] => {
  const { snapshot, failure, volume: name } = report;
  if (failure !== null) return failure;
  if (snapshot === null) return { code: "no-snapshot", message: "the node reported none" };
  if (snapshot.epoch !== volume.epoch) {
    return { code: "wrong-epoch", message: `snapshot ${snapshot.id} is of another epoch` };
  }
  if (parent !== null && !volume.snapshots.some(({ id }) => id === parent)) {
    return { code: "parent-dropped", message: `its parent ${parent} is not retained any more` };
  }
  if (!isWhole) return { code: "not-whole", message: `snapshot ${snapshot.id} is not whole` };
  if (isMoving(state, name) && volume.snapshots.length >= SNAPSHOTS_HELD_MAX) {
    const message = "there are as many restore points as may be held while a deploy runs";
    return { code: "too-many-snapshots", message };
  }
  return null;
};

/** The attempt is over, whatever came of it: the next one has the next number. */
const endTry = (
  volume: VolumeState,
  { requestIds, atMs, snapshot, sequence }: SnapshotReport,
  failure: SnapshotReport["failure"],
): VolumeState => ({
  ...volume,
  sequence: sequence + 1,
  requests: volume.requests.filter(({ id }) => !requestIds.includes(id)),
  tries: addTry(volume, {
    requestIds,
    atMs,
    snapshotId: failure === null ? (snapshot?.id ?? null) : null,
    failure,
  }),
});
