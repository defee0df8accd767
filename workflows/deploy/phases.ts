/**
 * The way forward of a deploy: copying → draining → sealed → starting → committed. Each function
 * enters one phase; a phase that awaits nobody is left at once. The ways back are in undo.ts.
 */
import { Epoch, type SnapshotId } from "../ids.ts";
import { keysOf, mapRecord } from "../keys-of.ts";
import { newVolume } from "../new-volume.ts";
import type {
  ContainerState,
  Deploy,
  Origin,
  ProjectState,
  SnapshotRef,
  VolumeMove,
  VolumeState,
} from "../record.ts";
import { chooseSnapshots } from "../retention/choose-snapshots.ts";
import { answerRequests } from "../snapshots/request-snapshot.ts";
import { foreseePause, needsAnotherRound, type Outlook, pauseBudget } from "./copy-rounds.ts";
import type { Phase } from "./deploy-phase.ts";
import { endDeploy } from "./end-deploy.ts";
import { settleOwed } from "./find-owed.ts";
import {
  COPY_DEADLINE_MS,
  DELTA_DEADLINE_MS,
  DRAIN_DEADLINE_MS,
  HYDRATE_DEADLINE_MS,
  START_DEADLINE_MS,
} from "./limits.ts";
import {
  awaitAll,
  contentOf,
  copyNodes,
  epochStep,
  mustHydrate,
  newNodes,
  oldNodes,
  roundStep,
} from "./steps.ts";

/** The state with the deploy in the phase, and the phase in its timeline. */
export const enterPhase = (
  state: ProjectState,
  deploy: Deploy,
  phase: Phase,
  nowMs: number,
): ProjectState => {
  const label = phase.name === "copying" ? `copying ${phase.round}` : phase.name;
  const timeline = [...deploy.timeline, { phase: label, atMs: nowMs }];
  return { ...state, deploy: { ...deploy, phase, timeline } };
};

/** The phase that a new deploy is in: the first pre-copy round, with the image pull beside it. */
export const firstPhase = (deploy: Omit<Deploy, "phase">, nowMs: number): Phase => {
  return copyingPhase(deploy, 1, copyNodes(deploy).length === 0, nowMs);
};

const copyingPhase = (
  deploy: Omit<Deploy, "phase">,
  round: number,
  final: boolean,
  nowMs: number,
): Phase => {
  const sources = final ? [] : copyNodes(deploy);
  return {
    name: "copying",
    round,
    final,
    awaits: [
      ...awaitAll(roundStep("copy", round), sources),
      ...awaitAll(roundStep("prepare", round), newNodes(deploy)),
    ],
    sinceMs: nowMs,
    deadlineAtMs: nowMs + COPY_DEADLINE_MS,
  };
};

/** Goes on from a phase whose last awaited report has come. Not for a phase that still waits. */
export const completePhase = (state: ProjectState, nowMs: number): ProjectState => {
  const deploy = state.deploy;
  if (deploy === null || deploy.phase.awaits.length > 0) return state;
  switch (deploy.phase.name) {
    case "copying":
      return completeCopying(state, deploy, deploy.phase, nowMs);
    case "draining":
      return enterSealed(state, deploy, deploy.phase.epoch, nowMs);
    case "sealed":
      return enterStarting(state, deploy, deploy.phase.epoch, nowMs);
    case "starting":
      return commit(state, deploy, deploy.phase.epoch, nowMs);
    case "unstarting":
    case "returning":
      return state;
  }
};

const completeCopying = (
  state: ProjectState,
  deploy: Deploy,
  phase: Extract<Phase, { name: "copying" }>,
  nowMs: number,
): ProjectState => {
  if (phase.final) return enterDraining(state, deploy, nowMs);
  const facts = { deploy, history: state.history, nowMs };
  const outlook = foreseePause(facts);
  const told = { ...deploy, predictedPauseMs: outlook?.pauseMs ?? deploy.predictedPauseMs };
  if (needsAnotherRound(facts, phase.round)) {
    const rests = foundNothing(told, phase.round);
    return enterPhase(state, told, copyingPhase(told, phase.round + 1, rests, nowMs), nowMs);
  }
  const reason = outlook === null ? null : exceedsBudget(told, outlook);
  return reason === null
    ? enterDraining(state, told, nowMs)
    : endDeploy(state, told, { result: "failed", reason, nowMs });
};

/** An idle volume is not copied again only because its target has something to fetch. */
const foundNothing = ({ volumes }: Deploy, round: number): boolean =>
  Object.values(volumes).every(({ copies }) =>
    copies.every((copy) => copy.round !== round || copy.changedBytes === 0),
  );

/** Why the deploy must not go on: nothing was stopped for it yet, and nothing will be. */
const exceedsBudget = (deploy: Deploy, { pauseMs, baseMs, moveBytes }: Outlook): string | null => {
  const budgetMs = pauseBudget(deploy);
  if (budgetMs === null || pauseMs <= budgetMs || deploy.request.allowLongerPause === true) {
    return null;
  }
  const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;
  return `a pause of ${seconds(pauseMs)} is predicted, and max_pause is ${seconds(budgetMs)}: stop, start and health take ${seconds(baseMs)}, the last ${(moveBytes / 1e6).toFixed(1)} MB ${seconds(pauseMs - baseMs)}; nothing was stopped; raise max_pause, deploy when less is written, or say --allow-longer-pause`;
};

const enterDraining = (state: ProjectState, deploy: Deploy, nowMs: number): ProjectState => {
  const epoch = Epoch.parse(state.epochCounter + 1);
  const grace = Object.values(deploy.containers).map(
    ({ from }) => from?.spec.stopGracePeriodMs ?? 0,
  );
  const phase: Phase = {
    name: "draining",
    epoch,
    awaits: awaitAll(epochStep("seal", epoch), oldNodes(deploy)),
    sinceMs: nowMs,
    deadlineAtMs: nowMs + DRAIN_DEADLINE_MS + Math.max(0, ...grace),
  };
  const next = enterPhase({ ...state, epochCounter: epoch }, deploy, phase, nowMs);
  return completePhase(next, nowMs);
};

/** Every awaited seal is in and verified: the heads now hold all that was ever acknowledged. */
const enterSealed = (
  state: ProjectState,
  deploy: Deploy,
  epoch: Epoch,
  nowMs: number,
): ProjectState => {
  const volumes = { ...state.volumes };
  for (const name of keysOf(deploy.volumes)) {
    const move = deploy.volumes[name] as VolumeMove;
    volumes[name] = sealVolume(volumes[name], move, epoch);
  }
  const targets = keysOf(deploy.volumes).flatMap((name) => {
    const move = deploy.volumes[name] as VolumeMove;
    // A target that has staged a copy brings the rest as it starts: a round trip less in the gap.
    if (move.to === null || move.prepared !== undefined) return [];
    return mustHydrate(move, volumes[name]) ? [move.to] : [];
  });
  const phase: Phase = {
    name: "sealed",
    epoch,
    awaits: awaitAll(epochStep("hydrate", epoch), targets),
    sinceMs: nowMs,
    deadlineAtMs: nowMs + HYDRATE_DEADLINE_MS,
  };
  return completePhase(enterPhase({ ...state, volumes }, deploy, phase, nowMs), nowMs);
};

/** A volume that the record does not know yet begins here, detached and empty. */
const sealVolume = (
  volume: VolumeState | undefined,
  move: VolumeMove,
  epoch: Epoch,
): VolumeState => {
  const known = volume ?? newVolume(move.settings, epoch);
  if (move.sealed === null) return known;
  return {
    ...answerRequests(known, move.sealed),
    head: move.sealed,
    snapshots: keepSnapshots(known, move.sealed, move.restore),
  };
};

const keepSnapshots = (
  volume: VolumeState,
  sealed: SnapshotRef,
  restore: SnapshotId | null,
): SnapshotRef[] => {
  const pinned = restore === null ? [sealed.id] : [sealed.id, restore];
  return chooseSnapshots([...volume.snapshots, sealed], volume.settings.keep, pinned).kept;
};

const enterStarting = (
  state: ProjectState,
  deploy: Deploy,
  epoch: Epoch,
  nowMs: number,
): ProjectState => {
  const volumes = { ...state.volumes };
  for (const name of keysOf(deploy.volumes)) {
    const move = deploy.volumes[name] as VolumeMove;
    const volume = volumes[name];
    if (volume === undefined) continue;
    const { settings, to: owner } = move;
    // Whoever starts it says which session of its lease guards it.
    const origin = originOf(move, volume);
    volumes[name] = { ...volume, settings, owner, epoch, origin, lease: null };
  }
  const hydrates = Object.values(deploy.volumes).some(({ prepared }) => prepared !== undefined);
  const starts = Object.values(deploy.containers).map(
    ({ to }) => to?.spec.healthcheck?.startPeriodMs ?? 0,
  );
  const phase: Phase = {
    name: "starting",
    epoch,
    awaits: awaitAll(epochStep("start", epoch), newNodes(deploy)),
    sinceMs: nowMs,
    deadlineAtMs:
      nowMs + START_DEADLINE_MS + (hydrates ? DELTA_DEADLINE_MS : 0) + Math.max(0, ...starts),
  };
  return completePhase(enterPhase({ ...state, volumes }, deploy, phase, nowMs), nowMs);
};

const originOf = (move: VolumeMove, volume: VolumeState): Origin => {
  const snapshotId = contentOf(move, volume);
  return snapshotId === null ? { kind: "empty" } : { kind: "snapshot", snapshotId };
};

/** The traffic switch: before it there is a way back, after it only a new deploy. */
const commit = (state: ProjectState, deploy: Deploy, epoch: Epoch, nowMs: number): ProjectState => {
  const moved = mapRecord(deploy.containers, ({ to }): ContainerState | undefined =>
    to === null ? undefined : { spec: to.spec, node: to.node, epoch, deployId: deploy.id },
  );
  const stayed = mapRecord(state.containers, (container, name) =>
    deploy.containers[name] === undefined ? container : undefined,
  );
  // From now on the lineage goes on from the restored snapshot: what was sealed stays a restore point.
  const volumes = mapRecord(state.volumes, (volume, name) => {
    const restored = deploy.volumes[name]?.restore ?? null;
    const head = volume.snapshots.find(({ id }) => id === restored) ?? volume.head;
    return { ...volume, head };
  });
  const containers = { ...stayed, ...moved };
  const owedReplacement = settleOwed(state.owedReplacement, deploy);
  const committed = { ...state, volumes, containers, commit: deploy.commit, owedReplacement };
  return endDeploy(committed, deploy, { result: "deployed", reason: null, nowMs });
};
