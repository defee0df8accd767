/**
 * decide(state, input) → what becomes of a project. The only place where a project's state advances;
 * fed by the functions, the simulator and the explorer alike. No clock, no random, no effects:
 * time and ids arrive with the input. A repeated or late input is `unchanged`, never an error.
 */
import { changeKeys } from "../keys/change-keys.ts";
import { settleStandbys } from "../placement/settle-standbys.ts";
import { decidePublication } from "../publish/decide-publication.ts";
import type { ProjectState } from "../record.ts";
import { changeClone, changePins } from "../snapshots/change-clones.ts";
import { receiveSnapshot } from "../snapshots/receive-snapshot.ts";
import { requestSnapshot } from "../snapshots/request-snapshot.ts";
import { endDeploy, endRequest } from "./end-deploy.ts";
import { expireLease } from "./expire-lease.ts";
import { holdLease } from "./hold-lease.ts";
import { askOfBranch, noteBranch, saveBranch } from "./keep-branch.ts";
import { loseNode } from "./lose-node.ts";
import {
  changed,
  type Decision,
  type Input,
  type InputOf,
  refused,
  UNCHANGED,
} from "./messages.ts";
import { receiveReport } from "./receive-report.ts";
import { retryReplacement } from "./replace-lost.ts";
import { resolveDeploy } from "./resolve-deploy.ts";
import { abortDrain, undoDeploy } from "./undo.ts";

export const decide = (state: ProjectState, input: Input): Decision => {
  switch (input.type) {
    case "project.configured":
      return JSON.stringify(state.settings) === JSON.stringify(input.settings)
        ? UNCHANGED
        : changed({ ...state, settings: input.settings }, event("project.configured", state));
    case "deploy.requested":
      return requestDeploy(state, input);
    case "deploy.resolved":
      return resolveDeploy(state, input);
    case "deploy.unresolvable":
      return refuseRequest(state, input);
    case "report.received":
      return receiveReport(state, input);
    case "time.passed":
      return passTime(state, input.nowMs);
    case "nodes.seen":
      return settleStandbys(state, input);
    case "deploy.cancelled":
      return cancelDeploy(state, input);
    case "node.lost":
      return loseNode(state, input);
    case "lease.expired":
      return expireLease(state, input);
    case "replacement.due":
      return retryReplacement(state, input);
    case "lease.held":
      return holdLease(state, input);
    case "branch.kept":
      return noteBranch(state, input);
    case "branch.wanted":
    case "branch.dropped":
      return askOfBranch(state, input);
    case "branch.saved":
      return saveBranch(state, input);
    case "deploy.archived":
      return archiveDeploy(state, input);
    case "snapshot.requested":
      return requestSnapshot(state, input);
    case "snapshot.reported":
      return receiveSnapshot(state, input);
    case "snapshot.pinned":
    case "snapshot.unpinned":
      return changePins(state, input);
    case "volume.cloned":
    case "volume.detached-from-source":
      return changeClone(state, input);
    case "key.added":
    case "keys.rewrapped":
    case "sealing.ended":
      return changeKeys(state, input);
    case "publication.claimed":
    case "publication.ended":
    case "publication.failed":
    case "publication.disturbed":
    case "publication.requested":
      return decidePublication(state, input);
  }
};

const event = (type: string, state: ProjectState, data: Record<string, unknown> = {}) => ({
  type,
  data: { project: state.project, ...data },
});

/** The newest request wins; one that never started ends as superseded. */
const requestDeploy = (state: ProjectState, { request }: InputOf<"deploy.requested">): Decision => {
  const isKnown =
    state.desired?.requestId === request.requestId ||
    state.deploy?.request.requestId === request.requestId ||
    state.history.some(({ requestId }) => requestId === request.requestId);
  if (isKnown) return UNCHANGED;
  const ending = {
    result: "superseded" as const,
    reason: `by request ${request.requestId}`,
    nowMs: request.requestedAtMs,
  };
  const cleared =
    state.desired === null
      ? state
      : endRequest(state, state.desired, state.desired.commitHint ?? null, ending);
  return changed(
    { ...cleared, desired: request },
    event("deploy.requested", state, { deploy: request.deployId, ref: request.ref }),
  );
};

const refuseRequest = (state: ProjectState, input: InputOf<"deploy.unresolvable">): Decision => {
  const request = state.desired;
  if (request === null || request.requestId !== input.requestId) return UNCHANGED;
  const { commit, reason, nowMs } = input;
  return changed(
    endRequest(state, request, commit, { result: "failed", reason, nowMs }),
    event("deploy.failed", state, { deploy: request.deployId, reason }),
  );
};

/** A deadline asks for the way back; it never hands a volume to anybody. */
const passTime = (state: ProjectState, nowMs: number): Decision => {
  const deploy = state.deploy;
  if (deploy === null || nowMs < deploy.phase.deadlineAtMs) return UNCHANGED;
  const late = deploy.phase.awaits.map(({ step, node }) => `${step} of ${node}`).join(", ");
  const reason = `no ${late} in time`;
  const next = undoDeploy(state, deploy, reason, nowMs);
  return next === state ? UNCHANGED : changed(next, event("deploy.undone", state, { reason }));
};

const cancelDeploy = (state: ProjectState, input: InputOf<"deploy.cancelled">): Decision => {
  const { deployId, nowMs } = input;
  if (state.desired?.deployId === deployId) {
    const ending = { result: "cancelled" as const, reason: "by request", nowMs };
    return changed(endRequest(state, state.desired, null, ending));
  }
  const deploy = state.deploy;
  if (deploy?.id !== deployId) return UNCHANGED;
  // Whoever cancels a replacement does not want the next try either.
  const isReplacement = deploy.request.trigger === "failover";
  const freed = isReplacement ? { ...state, owedReplacement: null } : state;
  switch (deploy.phase.name) {
    case "copying":
      return changed(
        endDeploy(freed, deploy, { result: "cancelled", reason: "by request", nowMs }),
        event("deploy.cancelled", state, { deploy: deployId }),
      );
    case "draining":
      return changed(
        abortDrain(freed, deploy, "cancelled", "by request", nowMs),
        event("deploy.cancelled", state, { deploy: deployId }),
      );
    default:
      return refused(
        "past-seal",
        `deploy ${deployId} is ${deploy.phase.name}: its data are sealed and the way is forward`,
        "wait for it to end, then roll back with a new deploy",
      );
  }
};

const archiveDeploy = (state: ProjectState, input: InputOf<"deploy.archived">): Decision => {
  if (!state.history.some(({ id, archived }) => id === input.deployId && !archived))
    return UNCHANGED;
  const history = state.history.map((entry) =>
    entry.id === input.deployId ? { ...entry, archived: true } : entry,
  );
  return changed({ ...state, history });
};
