/** Folds a node's report into the deploy that awaits it; any other report changes nothing. */
import type { SnapshotId, VolumeName } from "../ids.ts";
import { keysOf, mapRecord } from "../keys-of.ts";
import type { Deploy, ProjectState, VolumeMove } from "../record.ts";
import type { ContainerOutcome } from "./container-outcome.ts";
import { keepBranch } from "./keep-branch.ts";
import {
  changed,
  type Decision,
  type InputOf,
  type Report,
  UNCHANGED,
  type VolumeReport,
} from "./messages.ts";
import { completePhase } from "./phases.ts";
import { stepKind } from "./steps.ts";
import { completeUndo, undoDeploy } from "./undo.ts";

export const receiveReport = (state: ProjectState, input: InputOf<"report.received">): Decision => {
  const { report, nowMs } = input;
  const deploy = state.deploy;
  if (deploy === null || deploy.id !== report.deployId) return UNCHANGED;
  const isAwaited = deploy.phase.awaits.some(
    ({ step, node }) => step === report.step && node === report.node,
  );
  if (!isAwaited) return UNCHANGED;
  const failure = findFailure(deploy, report, input.verifiedSnapshots);
  const data = {
    deploy: deploy.id,
    step: report.step,
    node: report.node,
    phase: deploy.phase.name,
  };
  if (failure !== null) {
    const noted = { ...deploy, outcomes: mergeOutcomes(deploy, report) };
    const next = undoDeploy(state, noted, `${report.node}: ${failure}`, nowMs);
    if (next === state) return UNCHANGED;
    return changed(next, { type: "step.failed", data: { ...data, failure } });
  }
  const folded = foldReport(state, deploy, report, input.verifiedSnapshots);
  const completed = completeUndo(completePhase(folded, nowMs), nowMs);
  return changed(completed, { type: "step.done", data: { project: state.project, ...data } });
};

/** A seal counts only when its snapshot and every object below it were seen in the store. */
const findFailure = (
  deploy: Deploy,
  report: Report,
  verified: readonly SnapshotId[],
): string | null => {
  if (report.failure !== null) return report.failure.message;
  if (stepKind(report.step) !== "seal") return null;
  for (const name of keysOf(deploy.volumes)) {
    if (deploy.volumes[name]?.from?.node !== report.node) continue;
    const snapshot = report.volumes[name]?.snapshot;
    if (snapshot === undefined) return `no final snapshot of volume ${name}`;
    if (!verified.includes(snapshot.id)) return `snapshot ${snapshot.id} of ${name} is not whole`;
  }
  return null;
};

const foldReport = (
  state: ProjectState,
  deploy: Deploy,
  report: Report,
  verified: readonly SnapshotId[],
): ProjectState => {
  const awaits = deploy.phase.awaits.filter(
    ({ step, node }) => step !== report.step || node !== report.node,
  );
  const volumes = { ...deploy.volumes };
  for (const name of keysOf<VolumeName>(volumes)) {
    volumes[name] = foldVolume(volumes[name] as VolumeMove, deploy, report.step, {
      ...report.volumes[name],
      isVerified: verified.includes(report.volumes[name]?.snapshot?.id as SnapshotId),
    });
  }
  return {
    ...state,
    volumes: noteLease(addBranches(state, report), deploy, report),
    deploy: {
      ...deploy,
      volumes,
      outcomes: mergeOutcomes(deploy, report),
      phase: { ...deploy.phase, awaits },
    },
  };
};

const foldVolume = (
  move: VolumeMove,
  deploy: Deploy,
  step: string,
  found: VolumeReport & { readonly isVerified: boolean },
): VolumeMove => {
  switch (stepKind(step)) {
    case "copy":
      if (found.snapshot === undefined || deploy.phase.name !== "copying") return move;
      return {
        ...move,
        copies: [
          ...move.copies,
          {
            round: deploy.phase.round,
            snapshotId: found.snapshot.id,
            changedBytes: found.changedBytes ?? 0,
            storedBytes: found.snapshot.storedBytes,
            durationMs: found.durationMs ?? 0,
            takenAtMs: found.snapshot.takenAtMs,
            isVerified: found.isVerified,
            ...(found.hookFailure !== undefined && { hookFailure: found.hookFailure }),
          },
        ],
      };
    case "prepare":
      return found.hydrate === undefined ? move : { ...move, prepared: found.hydrate };
    case "seal":
      return found.snapshot === undefined
        ? move
        : { ...move, sealed: found.snapshot, sealMs: found.durationMs ?? 0 };
    case "hydrate":
    case "start":
      return { ...move, hydrated: found.hydrate ?? move.hydrated };
    default:
      return move;
  }
};

const addBranches = (state: ProjectState, report: Report): ProjectState["volumes"] =>
  mapRecord(state.volumes, (volume, name) => {
    const branch = report.volumes[name]?.branch;
    return branch === undefined ? volume : keepBranch(volume, branch);
  });

/** The guard of whoever starts a volume watches it from before it is reported. */
const noteLease = (
  volumes: ProjectState["volumes"],
  deploy: Deploy,
  { step, node, lease }: Report,
): ProjectState["volumes"] => {
  const kind = stepKind(step);
  if (lease === undefined || (kind !== "start" && kind !== "return")) return volumes;
  return mapRecord(volumes, (volume, name) => {
    const isStarted = deploy.volumes[name] !== undefined && volume.owner === node;
    return isStarted && volume.settings.onNodeLoss === "restore" ? { ...volume, lease } : volume;
  });
};

const mergeOutcomes = (deploy: Deploy, report: Report): Deploy["outcomes"] => {
  const outcomes = { ...deploy.outcomes };
  for (const name of keysOf(report.containers)) {
    if (deploy.containers[name] === undefined) continue;
    const known: ContainerOutcome = outcomes[name] ?? {};
    outcomes[name] = { ...known, ...report.containers[name] };
  }
  return outcomes;
};
