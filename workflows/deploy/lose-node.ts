/**
 * An operator's word that a node is gone. The only rule that moves ownership without the owner's
 * own report, and so the only one that may lose data: the operator has been shown how much.
 */
import { Epoch, type NodeId } from "../ids.ts";
import { keysOf, mapRecord } from "../keys-of.ts";
import type { ProjectState } from "../record.ts";
import { changed, type Decision, UNCHANGED } from "./messages.ts";
import { completePhase } from "./phases.ts";
import { newNodes } from "./steps.ts";
import { completeUndo, forgetSource, undoDeploy } from "./undo.ts";

export const loseNode = (state: ProjectState, node: NodeId, nowMs: number): Decision => {
  const undone = undoOnNode(state, node, nowMs);
  const waived = waiveAwaits(undone, node, nowMs);
  const detached = detachFrom(waived, node);
  return detached === state
    ? UNCHANGED
    : changed(detached, { type: "node.lost", data: { project: state.project, node } });
};

/** A deploy that needs the node goes back; data already sealed no longer need their old node. */
const undoOnNode = (state: ProjectState, node: NodeId, nowMs: number): ProjectState => {
  const deploy = state.deploy;
  if (deploy === null) return state;
  const reason = `node ${node} was declared lost`;
  const isTarget = newNodes(deploy).includes(node);
  const isAwaited = deploy.phase.awaits.some((a) => a.node === node);
  switch (deploy.phase.name) {
    case "copying":
    case "draining":
      return isTarget || isAwaited ? undoDeploy(state, deploy, reason, nowMs) : state;
    default: {
      const rest = forgetSource(deploy, node);
      const kept = { ...state, deploy: rest };
      return isTarget ? undoDeploy(kept, rest, reason, nowMs) : kept;
    }
  }
};

const waiveAwaits = (state: ProjectState, node: NodeId, nowMs: number): ProjectState => {
  const deploy = state.deploy;
  if (deploy === null || !deploy.phase.awaits.some((a) => a.node === node)) return state;
  const awaits = deploy.phase.awaits.filter((a) => a.node !== node);
  const waived = { ...state, deploy: { ...deploy, phase: { ...deploy.phase, awaits } } };
  return completeUndo(completePhase(waived, nowMs), nowMs);
};

/** Its volumes are detached under a new epoch, so that what it still holds is fenced for ever. */
const detachFrom = (state: ProjectState, node: NodeId): ProjectState => {
  const owned = keysOf(state.volumes).filter((name) => state.volumes[name]?.owner === node);
  const running = keysOf(state.containers).filter((name) => state.containers[name]?.node === node);
  if (owned.length === 0 && running.length === 0) return state;
  const epoch = Epoch.parse(state.epochCounter + 1);
  return {
    ...state,
    epochCounter: epoch,
    commit: null,
    containers: mapRecord(state.containers, (container) =>
      container.node === node ? undefined : container,
    ),
    volumes: mapRecord(state.volumes, (volume) =>
      volume.owner === node ? { ...volume, owner: null, epoch } : volume,
    ),
  };
};
