/**
 * What a project can do without a node: take deploys back that need it, and detach volumes from it.
 * Whether it may, is for the callers to say: an operator's word (lose-node.ts), or the end of the
 * node's lease (expire-lease.ts).
 */
import { Epoch, type NodeId, type VolumeName } from "../ids.ts";
import { keysOf, mapRecord } from "../keys-of.ts";
import type { Deploy, Loss, ProjectState, VolumeState } from "../record.ts";
import { LOSSES_MAX } from "./limits.ts";
import { completePhase } from "./phases.ts";
import { newNodes, oldNodes } from "./steps.ts";
import { completeUndo, forgetSource, undoDeploy } from "./undo.ts";

export interface GivenUp {
  readonly node: NodeId;
  readonly reason: string;
  readonly nowMs: number;
  /** Nothing may lead back to it, not even the abort of a drain that it has done its part in. */
  readonly isForGood: boolean;
}

/** A deploy that needs the node's work goes back, if it still can. */
export const undoOnNode = (state: ProjectState, lost: GivenUp): ProjectState => {
  const { node, reason, nowMs, isForGood } = lost;
  const deploy = state.deploy;
  if (deploy === null) return state;
  const isNeeded = newNodes(deploy).includes(node) || isSourceYet(deploy, node, isForGood);
  return isNeeded ? undoDeploy(state, deploy, reason, nowMs) : state;
};

/** Until it has sealed what it writes; also between two rounds of copies, when it owes nothing. */
const isSourceYet = (deploy: Deploy, node: NodeId, isForGood: boolean): boolean => {
  const isSource = oldNodes(deploy).includes(node);
  switch (deploy.phase.name) {
    case "copying":
      return isSource;
    case "draining":
      return isForGood ? isSource : deploy.phase.awaits.some((a) => a.node === node);
    default:
      return false;
  }
};

/** Data already sealed no longer need their old node: a way back that leads there is given up. */
export const forgetOnNode = (state: ProjectState, node: NodeId): ProjectState => {
  const deploy = state.deploy;
  if (deploy === null) return state;
  const { name } = deploy.phase;
  if (name === "copying" || name === "draining") return state;
  return { ...state, deploy: forgetSource(deploy, node) };
};

/** Goes on without the node's steps: nothing that it still does can be taken for the volume. */
export const waiveAwaits = (
  state: ProjectState,
  { node, nowMs }: Pick<GivenUp, "node" | "nowMs">,
): ProjectState => {
  const deploy = state.deploy;
  if (deploy === null || !deploy.phase.awaits.some((a) => a.node === node)) return state;
  const awaits = deploy.phase.awaits.filter((a) => a.node !== node);
  const waived = { ...state, deploy: { ...deploy, phase: { ...deploy.phase, awaits } } };
  return completeUndo(completePhase(waived, nowMs), nowMs);
};

/**
 * Detaches the volumes, with the containers that run on the node beside them, under a new epoch, so
 * that what the node still holds is fenced for ever. The loss and its window stay in the record. What
 * a running deploy has sealed is not lost: the deploy hands it on, under the epoch that it has.
 */
export const detachFrom = (
  state: ProjectState,
  lost: { readonly node: NodeId; readonly nowMs: number; readonly acceptedBy: string },
  isGivenUp: (volumes: readonly VolumeName[]) => boolean,
): ProjectState => {
  const { deploy } = state;
  const onNode = keysOf(state.containers).filter((name) => {
    const container = state.containers[name];
    if (container?.node !== lost.node || deploy?.containers[name] !== undefined) return false;
    return isGivenUp(container.spec.volumes.map((mount) => mount.name));
  });
  const owned = keysOf(state.volumes).filter(
    (name) =>
      state.volumes[name]?.owner === lost.node &&
      deploy?.volumes[name] === undefined &&
      isGivenUp([name]),
  );
  if (owned.length === 0 && onNode.length === 0) return state;
  const epoch = Epoch.parse(state.epochCounter + 1);
  return {
    ...state,
    epochCounter: epoch,
    commit: null,
    containers: mapRecord(state.containers, (container, name) =>
      onNode.includes(name) ? undefined : container,
    ),
    volumes: mapRecord(state.volumes, (volume, name) =>
      owned.includes(name)
        ? { ...volume, owner: null, epoch, lease: null, losses: noteLoss(volume, lost) }
        : volume,
    ),
  };
};

const noteLoss = (
  volume: VolumeState,
  { node, nowMs, acceptedBy }: { node: NodeId; nowMs: number; acceptedBy: string },
): Loss[] => {
  const { head, epoch } = volume;
  const loss: Loss = {
    node,
    epoch,
    atMs: nowMs,
    acceptedBy,
    snapshotId: head?.id ?? null,
    windowMs: head === null ? null : Math.max(0, nowMs - head.takenAtMs),
  };
  return [...volume.losses, loss].slice(-LOSSES_MAX);
};
