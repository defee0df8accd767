/** Data that a node keeps aside, noted once however often it is told. */
import type { Epoch, NodeId, VolumeName } from "../ids.ts";
import type { Branch, ProjectState, VolumeState } from "../record.ts";
import { BRANCHES_MAX } from "./limits.ts";
import { changed, type Decision, type InputOf, UNCHANGED } from "./messages.ts";

export const isSameBranch = (
  a: Pick<Branch, "node" | "epoch">,
  b: Pick<Branch, "node" | "epoch">,
): boolean => a.node === b.node && a.epoch === b.epoch;

export const keepBranch = (volume: VolumeState, branch: Branch): VolumeState =>
  volume.branches.some((known) => isSameBranch(known, branch))
    ? volume
    : { ...volume, branches: [...volume.branches, branch].slice(-BRANCHES_MAX) };

export const noteBranch = (state: ProjectState, input: InputOf<"branch.kept">): Decision => {
  const volume = state.volumes[input.volume];
  if (volume === undefined) return UNCHANGED;
  const kept = keepBranch(volume, input.branch);
  if (kept === volume) return UNCHANGED;
  const { node, epoch, bytes } = input.branch;
  return changed(
    { ...state, volumes: { ...state.volumes, [input.volume]: kept } },
    {
      type: "branch.kept",
      data: { project: state.project, volume: input.volume, node, epoch, bytes },
    },
  );
};

const changeBranch = (
  state: ProjectState,
  { volume: name, ...place }: { volume: VolumeName; node: NodeId; epoch: Epoch },
  change: (branch: Branch) => Branch,
): ProjectState => {
  const volume = state.volumes[name];
  const known = volume?.branches.find((branch) => isSameBranch(branch, place));
  if (volume === undefined || known === undefined) return state;
  const next = change(known);
  if (next === known) return state;
  const branches = volume.branches.map((branch) => (branch === known ? next : branch));
  return { ...state, volumes: { ...state.volumes, [name]: { ...volume, branches } } };
};

export const askOfBranch = (
  state: ProjectState,
  input: InputOf<"branch.wanted"> | InputOf<"branch.dropped">,
): Decision => {
  const { type, nowMs, volume, node, epoch } = input;
  const next = changeBranch(state, { volume, node, epoch }, (branch) => {
    if (branch.droppedAtMs !== undefined) return branch;
    if (type === "branch.dropped") return { ...branch, droppedAtMs: nowMs };
    return branch.wantedAtMs === undefined ? { ...branch, wantedAtMs: nowMs } : branch;
  });
  const data = { project: state.project, volume, node, epoch };
  return next === state ? UNCHANGED : changed(next, { type, data });
};

/**
 * The branch's snapshot becomes a restore point; the head stays the head. Only under the epoch that
 * the volume has now: what is of an older one may be collected before the record refers to it.
 */
export const saveBranch = (state: ProjectState, input: InputOf<"branch.saved">): Decision => {
  const { snapshot, isWhole, volume: name, node, epoch } = input;
  const volume = state.volumes[name];
  if (volume === undefined || volume.epoch !== snapshot.epoch || !isWhole) return UNCHANGED;
  const noted = changeBranch(state, { volume: name, node, epoch }, (branch) =>
    branch.wantedAtMs === undefined || branch.snapshotId !== null
      ? branch
      : { ...branch, snapshotId: snapshot.id },
  );
  const before = noted.volumes[name];
  if (noted === state || before === undefined) return UNCHANGED;
  const saved = { ...before, snapshots: [...before.snapshots, snapshot] };
  const data = { project: state.project, volume: name, node, epoch, snapshot: snapshot.id };
  return changed(
    { ...noted, volumes: { ...noted.volumes, [name]: saved } },
    { type: "branch.saved", data },
  );
};
