/** Data that a node keeps aside, noted once however often it is told. */
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
