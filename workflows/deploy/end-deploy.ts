/** Ends a deploy or a request: what stays of it in the record. */
import type { CommitId, DeployId } from "../ids.ts";
import { mapRecord } from "../keys-of.ts";
import type { Deploy, DeployResult, Desired, EndedDeploy, ProjectState } from "../record.ts";
import { ENDED_ATTEMPTS_MAX, HISTORY_COUNT_MAX } from "./limits.ts";

export interface Ending {
  readonly result: DeployResult;
  readonly reason: string | null;
  readonly nowMs: number;
}

/** The state without its running deploy, which becomes the newest entry of the history. */
export const endDeploy = (state: ProjectState, deploy: Deploy, ending: Ending): ProjectState => ({
  ...remember(state, summarise(deploy, ending)),
  deploy: null,
  endedAttempts: appendAttempt(state.endedAttempts, deploy.id),
});

/** The state without its desired deploy, which never started. */
export const endRequest = (
  state: ProjectState,
  request: Desired,
  commit: CommitId | null,
  ending: Ending,
): ProjectState => ({
  ...remember(state, {
    id: request.deployId,
    commit,
    ref: request.ref,
    subject: "",
    requestId: request.requestId,
    result: ending.result,
    reason: ending.reason,
    startedAtMs: request.requestedAtMs,
    endedAtMs: ending.nowMs,
    gapMs: null,
    predictedPauseMs: null,
    timeline: [],
    containers: {},
    volumes: {},
    archived: false,
  }),
  desired: state.desired?.requestId === request.requestId ? null : state.desired,
});

/** Archived entries leave first; an entry that has no receipt yet is never dropped. */
const remember = (state: ProjectState, ended: EndedDeploy): ProjectState => {
  const history = [...state.history, ended];
  const surplus = history.length - HISTORY_COUNT_MAX;
  const dropped = new Set(history.filter((entry) => entry.archived).slice(0, Math.max(0, surplus)));
  return { ...state, history: history.filter((entry) => !dropped.has(entry)) };
};

const appendAttempt = (attempts: readonly DeployId[], id: DeployId): DeployId[] =>
  [...attempts.filter((other) => other !== id), id].slice(-ENDED_ATTEMPTS_MAX);

const summarise = (deploy: Deploy, { result, reason, nowMs }: Ending): EndedDeploy => ({
  id: deploy.id,
  commit: deploy.commit,
  ref: deploy.ref,
  subject: deploy.subject,
  requestId: deploy.request.requestId,
  result,
  reason,
  startedAtMs: deploy.request.requestedAtMs,
  endedAtMs: nowMs,
  gapMs: measureGap(deploy),
  predictedPauseMs: deploy.predictedPauseMs,
  timeline: [...deploy.timeline, { phase: result, atMs: nowMs }],
  containers: mapRecord(deploy.containers, (move, name) => ({
    from: move.from?.node ?? null,
    to: move.to?.node ?? null,
    outcome: deploy.outcomes[name] ?? {},
  })),
  volumes: mapRecord(deploy.volumes, ({ settings: _settings, ...move }) => move),
  archived: false,
});

/** From the first stop of an old container to the last first-healthy of a new one, in ms. */
const measureGap = (deploy: Deploy): number | null => {
  const outcomes = Object.values(deploy.outcomes);
  const stops = outcomes.map((o) => o.stopBeganAtMs).filter((at) => at !== undefined);
  const starts = outcomes.map((o) => o.healthyAtMs).filter((at) => at !== undefined);
  if (stops.length === 0 || starts.length === 0) return null;
  return Math.max(0, Math.max(...starts) - Math.min(...stops));
};
