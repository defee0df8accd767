/** Somebody wants a restore point now: what the owners then owe, and when it is answered. */
import { SNAPSHOT_REQUESTS_MAX, SNAPSHOT_TRIES_MAX } from "../deploy/limits.ts";
import { changed, type Decision, type InputOf, refused, UNCHANGED } from "../deploy/messages.ts";
import type { VolumeName } from "../ids.ts";
import { keysOf } from "../keys-of.ts";
import type { ProjectState, SnapshotRef, VolumeState } from "../record.ts";
import type { SnapshotTry } from "./snapshot-notes.ts";

/** A volume that a deploy has drained is answered by its final snapshot, or after its way back. */
export const requestSnapshot = (
  state: ProjectState,
  { requestId, volumes: named, nowMs }: InputOf<"snapshot.requested">,
): Decision => {
  const { project } = state;
  const names =
    named.length > 0
      ? named
      : keysOf(state.volumes).filter((name) => state.volumes[name]?.owner !== null);
  if (names.length === 0) {
    const hint = `a deploy gives a volume its writer: bagage deploy ${project}`;
    return refused("nothing-written", `no node writes a volume of ${project}`, hint);
  }
  const volumes = { ...state.volumes };
  for (const name of names) {
    const obstacle = findObstacle(state, name);
    if (obstacle !== null) return obstacle;
    const volume = volumes[name] as VolumeState;
    if (isKnown(volume, requestId)) continue;
    volumes[name] = { ...volume, requests: [...volume.requests, { id: requestId, atMs: nowMs }] };
  }
  if (names.every((name) => volumes[name] === state.volumes[name])) return UNCHANGED;
  const data = { project, request: requestId, volumes: names };
  return changed({ ...state, volumes }, { type: "snapshot.requested", data });
};

const isKnown = ({ requests, tries }: VolumeState, requestId: string): boolean =>
  requests.some(({ id }) => id === requestId) ||
  tries.some(({ requestIds }) => requestIds.includes(requestId));

const findObstacle = ({ project, volumes }: ProjectState, name: VolumeName): Decision | null => {
  const volume = volumes[name];
  if (volume === undefined) {
    return refused(
      "unknown-volume",
      `project ${project} has no volume ${name}`,
      `bagage volumes ${project}`,
    );
  }
  if (volume.owner === null) {
    const hint = `its newest snapshot holds all of it: bagage snapshots ${project} ${name}`;
    return refused("nothing-written", `no node writes volume ${name}`, hint);
  }
  if (volume.requests.length >= SNAPSHOT_REQUESTS_MAX) {
    const hint = `see whether node ${volume.owner} is up: bagage nodes`;
    return refused("too-many-requests", `volume ${name} owes snapshots already`, hint);
  }
  return null;
};

/** A final snapshot holds all that any request before it could ask for. */
export const answerRequests = (volume: VolumeState, sealed: SnapshotRef): VolumeState => {
  if (volume.requests.length === 0) return volume;
  const requestIds = volume.requests.map(({ id }) => id);
  const { takenAtMs: atMs, id: snapshotId } = sealed;
  const answer = { requestIds, atMs, snapshotId, failure: null };
  return { ...volume, requests: [], tries: addTry(volume, answer) };
};

export const addTry = ({ tries }: VolumeState, last: SnapshotTry): SnapshotTry[] =>
  [...tries, last].slice(-SNAPSHOT_TRIES_MAX);
