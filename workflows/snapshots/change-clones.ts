/**
 * Clones: a volume that began as another one's snapshot refers to that one's objects, so the snapshot is
 * pinned in the record of its own project before anything refers to it, and let go of last.
 */
import { changed, type Decision, type InputOf, refused, UNCHANGED } from "../deploy/messages.ts";
import { Epoch } from "../ids.ts";
import { newVolume } from "../new-volume.ts";
import type { ProjectState, VolumeState } from "../record.ts";
import type { VolumePlace } from "./snapshot-notes.ts";

const isSame = (a: VolumePlace, b: VolumePlace): boolean =>
  a.project === b.project && a.volume === b.volume;

export const changePins = (
  state: ProjectState,
  input: InputOf<"snapshot.pinned"> | InputOf<"snapshot.unpinned">,
): Decision => {
  const volume = state.volumes[input.volume];
  if (volume === undefined) return unknownVolume(state, input.volume);
  const pins = input.type === "snapshot.pinned" ? addPin(volume, input) : dropPins(volume, input);
  if (pins === null) {
    const message = `volume ${input.volume} has no such snapshot any more`;
    return refused(
      "unknown-snapshot",
      message,
      `bagage snapshots ${state.project} ${input.volume}`,
    );
  }
  if (pins.length === volume.pins.length) return UNCHANGED;
  const volumes = { ...state.volumes, [input.volume]: { ...volume, pins } };
  const data = { project: state.project, volume: input.volume };
  return changed({ ...state, volumes }, { type: input.type, data });
};

const addPin = (volume: VolumeState, { pin }: InputOf<"snapshot.pinned">) => {
  const isThere = ({ snapshotId, by }: VolumeState["pins"][number]) =>
    snapshotId === pin.snapshotId && isSame(by, pin.by);
  if (volume.pins.some(isThere)) return volume.pins;
  return volume.snapshots.some(({ id }) => id === pin.snapshotId) ? [...volume.pins, pin] : null;
};

const dropPins = (volume: VolumeState, { by }: InputOf<"snapshot.unpinned">) =>
  volume.pins.filter((pin) => !isSame(pin.by, by));

export const changeClone = (
  state: ProjectState,
  input: InputOf<"volume.cloned"> | InputOf<"volume.detached-from-source">,
): Decision => {
  const known = state.volumes[input.volume];
  if (input.type === "volume.cloned") return addClone(state, known, input);
  if (known === undefined || known.source === null) return UNCHANGED;
  const volumes = { ...state.volumes, [input.volume]: { ...known, source: null } };
  return changed({ ...state, volumes });
};

const addClone = (
  state: ProjectState,
  known: VolumeState | undefined,
  { volume: name, snapshot, source }: InputOf<"volume.cloned">,
): Decision => {
  if (known !== undefined) {
    const isRepeated =
      known.source?.snapshotId === source.snapshotId && isSame(known.source, source);
    if (isRepeated) return UNCHANGED;
    const message = `project ${state.project} has a volume ${name} already`;
    return refused("volume-exists", message, "clone to another name; a volume is never replaced");
  }
  const epoch = Epoch.parse(state.epochCounter + 1);
  const clone: VolumeState = {
    ...newVolume({ onNodeLoss: "wait" }, epoch),
    origin: { kind: "snapshot", snapshotId: snapshot.id },
    head: snapshot,
    snapshots: [snapshot],
    source,
  };
  const volumes = { ...state.volumes, [name]: clone };
  const data = { project: state.project, volume: name, source };
  return changed({ ...state, epochCounter: epoch, volumes }, { type: "volume.cloned", data });
};

const unknownVolume = ({ project }: ProjectState, name: string): Decision =>
  refused(
    "unknown-volume",
    `project ${project} has no volume ${name}`,
    `bagage volumes ${project}`,
  );
