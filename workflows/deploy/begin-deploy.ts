/** A planned request becomes the running deploy, in the first phase that awaits anybody. */
import type { CommitId } from "../ids.ts";
import type { Desired, ProjectState } from "../record.ts";
import { completePhase, enterPhase, firstPhase } from "./phases.ts";
import type { Moves } from "./plan-deploy.ts";

export interface PlannedDeploy {
  readonly request: Desired;
  readonly commit: CommitId;
  readonly subject: string;
  readonly moves: Moves;
}

/** For a state without a running deploy. */
export const beginDeploy = (
  state: ProjectState,
  { request, commit, subject, moves }: PlannedDeploy,
  nowMs: number,
): ProjectState => {
  const draft = {
    id: request.deployId,
    commit,
    ref: request.ref,
    subject,
    request,
    ...moves,
    timeline: [],
    outcomes: {},
    predictedPauseMs: null,
  };
  const phase = firstPhase(draft, nowMs);
  return completePhase(enterPhase(state, { ...draft, phase }, phase, nowMs), nowMs);
};
