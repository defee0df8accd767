/** What a forge shows beside a commit while it is deployed, and after. */
import type { CommitId } from "../ids.ts";
import type { ProjectEvent } from "./project-event.ts";

export interface CommitStatus {
  readonly commit: CommitId;
  readonly state: "pending" | "success" | "failure" | "error";
  /** Forges show about this much of it. */
  readonly description: string;
}

const DESCRIPTION_CHARS_MAX = 140;

/** Null for an event that says nothing of a commit. */
export const commitStatusOf = (event: ProjectEvent): CommitStatus | null => {
  if (event.type === "deploy.started") {
    return { commit: event.commit, state: "pending", description: "is being deployed" };
  }
  if (event.type !== "deploy.ended" || event.commit === null) return null;
  const why = event.reason === null ? "" : `: ${event.reason}`;
  const gap = event.gapMs === null ? "" : `, gap ${(event.gapMs / 1_000).toFixed(1)} s`;
  const description = `${event.result}${why}${gap}`.slice(0, DESCRIPTION_CHARS_MAX);
  return { commit: event.commit, state: STATES[event.result], description };
};

const STATES = {
  deployed: "success",
  unchanged: "success",
  superseded: "error",
  cancelled: "error",
  aborted: "failure",
  "rolled-back": "failure",
  failed: "failure",
} as const;
