/**
 * The ways back of a deploy: abort (nothing was sealed), unstart and return (the old containers run
 * again on the sealed data). After the commit there is none.
 */
import { Epoch, type NodeId } from "../ids.ts";
import { keysOf, mapRecord } from "../keys-of.ts";
import type { ContainerState, Deploy, DeployResult, ProjectState, VolumeMove } from "../record.ts";
import type { Phase } from "./deploy-phase.ts";
import { endDeploy } from "./end-deploy.ts";
import { RETURN_ALARM_MS } from "./limits.ts";
import { enterPhase } from "./phases.ts";
import { awaitAll, epochStep, newNodes, oldNodes } from "./steps.ts";

/** The way back that the phase allows; the same state where there is none. */
export const undoDeploy = (
  state: ProjectState,
  deploy: Deploy,
  reason: string,
  nowMs: number,
): ProjectState => {
  switch (deploy.phase.name) {
    case "copying":
      return endDeploy(state, deploy, { result: "failed", reason, nowMs });
    case "draining":
      return abortDrain(state, deploy, "aborted", reason, nowMs);
    case "sealed":
      return enterReturning(state, deploy, reason, nowMs);
    case "starting":
      return enterUnstarting(state, deploy, reason, nowMs);
    case "unstarting":
    case "returning":
      return state;
  }
};

/** DRAIN → RUN: the same containers, on the same nodes and data, under the drain's epoch. */
export const abortDrain = (
  state: ProjectState,
  deploy: Deploy,
  result: DeployResult,
  reason: string,
  nowMs: number,
): ProjectState => {
  if (deploy.phase.name !== "draining") return state;
  const { epoch } = deploy.phase;
  const volumes = { ...state.volumes };
  for (const name of keysOf(deploy.volumes)) {
    const volume = volumes[name];
    const from = deploy.volumes[name]?.from ?? null;
    if (volume === undefined || from === null) continue;
    // After a second abort the directory may still bear the name that it had before the first.
    const oldest = volume.origin.kind === "local" ? volume.origin.epoch : from.epoch;
    volumes[name] = { ...volume, epoch, origin: { kind: "local", epoch: oldest } };
  }
  const next = { ...state, volumes, containers: restoreContainers(state, deploy, epoch) };
  return endDeploy(next, deploy, { result, reason, nowMs });
};

/** STARTING → UNSTART: the targets must stop what they started before anything else may start. */
export const enterUnstarting = (
  state: ProjectState,
  deploy: Deploy,
  reason: string,
  nowMs: number,
): ProjectState => {
  const epoch = Epoch.parse(state.epochCounter + 1);
  const phase: Phase = {
    name: "unstarting",
    epoch,
    reason,
    awaits: awaitAll(epochStep("unstart", epoch), newNodes(deploy)),
    sinceMs: nowMs,
    deadlineAtMs: nowMs + RETURN_ALARM_MS,
  };
  return completeUndo(enterPhase({ ...state, epochCounter: epoch }, deploy, phase, nowMs), nowMs);
};

/** SEALED → the old containers again. Nothing was started on the targets. */
export const enterReturning = (
  state: ProjectState,
  deploy: Deploy,
  reason: string,
  nowMs: number,
): ProjectState => {
  const epoch = Epoch.parse(state.epochCounter + 1);
  return returnUnder({ ...state, epochCounter: epoch }, deploy, epoch, reason, nowMs);
};

const returnUnder = (
  state: ProjectState,
  deploy: Deploy,
  epoch: Epoch,
  reason: string,
  nowMs: number,
): ProjectState => {
  const volumes = { ...state.volumes };
  for (const name of keysOf(deploy.volumes)) {
    const volume = volumes[name];
    const move = deploy.volumes[name] as VolumeMove;
    if (volume === undefined) continue;
    const owner = move.from?.node ?? null;
    const head = volume.head;
    volumes[name] = {
      ...volume,
      owner,
      epoch,
      lease: null,
      origin: head === null ? { kind: "empty" } : { kind: "snapshot", snapshotId: head.id },
    };
  }
  const phase: Phase = {
    name: "returning",
    epoch,
    reason,
    awaits: awaitAll(epochStep("return", epoch), oldNodes(deploy)),
    sinceMs: nowMs,
    deadlineAtMs: nowMs + RETURN_ALARM_MS,
  };
  return completeUndo(enterPhase({ ...state, volumes }, deploy, phase, nowMs), nowMs);
};

/** Goes on from unstarting or returning once nobody is awaited any more. */
export const completeUndo = (state: ProjectState, nowMs: number): ProjectState => {
  const deploy = state.deploy;
  if (deploy === null || deploy.phase.awaits.length > 0) return state;
  if (deploy.phase.name === "unstarting") {
    return returnUnder(state, deploy, deploy.phase.epoch, deploy.phase.reason, nowMs);
  }
  if (deploy.phase.name !== "returning") return state;
  const { epoch, reason } = deploy.phase;
  const hadOld = oldNodes(deploy).length > 0;
  const next = { ...state, containers: restoreContainers(state, deploy, epoch) };
  return endDeploy(next, deploy, { result: hadOld ? "rolled-back" : "failed", reason, nowMs });
};

/** The old containers under a new epoch; what the deploy would have added is gone. */
const restoreContainers = (
  state: ProjectState,
  deploy: Deploy,
  epoch: Epoch,
): ProjectState["containers"] => ({
  ...mapRecord(state.containers, (container, name) =>
    deploy.containers[name] === undefined ? container : undefined,
  ),
  ...mapRecord(deploy.containers, ({ from }): ContainerState | undefined =>
    from === null ? undefined : { ...from, epoch },
  ),
});

/** The deploy without anything that a lost node would owe it. Only for data already sealed. */
export const forgetSource = (deploy: Deploy, node: NodeId): Deploy => ({
  ...deploy,
  containers: mapRecord(deploy.containers, (move) =>
    move.from?.node === node ? { ...move, from: null } : move,
  ),
  volumes: mapRecord(deploy.volumes, (move) =>
    move.from?.node === node ? { ...move, from: null } : move,
  ),
});
