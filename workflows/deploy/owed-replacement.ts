/**
 * What a lost node ran and nothing runs since: it stays owed until a deploy brings it back, so that a
 * replacement that fails is tried again without anybody's word.
 */
import * as z from "zod";
import { ContainerSpec } from "../container-spec.ts";
import { CommitId, ContainerName, DeployId, NodeId } from "../ids.ts";

export const OwedReplacement = z.strictObject({
  /** The node that ran it. */
  node: NodeId,
  commit: CommitId,
  containers: z.record(ContainerName, ContainerSpec),
  lostAtMs: z.int(),
  /** The deploy that ran when the node was lost, and was planned without regard to it. */
  beside: DeployId.nullable(),
  /** Deploys that were begun for it. */
  tries: z.int().nonnegative(),
  dueAtMs: z.int(),
});
export type OwedReplacement = z.infer<typeof OwedReplacement>;

const FIRST_WAIT_MS = 15_000;
const WAIT_MAX_MS = 10 * 60_000;

/** Each try waits twice as long for the next. */
export const afterTry = (owed: OwedReplacement, nowMs: number): OwedReplacement => {
  const waitMs = Math.min(WAIT_MAX_MS, FIRST_WAIT_MS * 2 ** owed.tries);
  return { ...owed, tries: owed.tries + 1, dueAtMs: nowMs + waitMs };
};

/** Further away than it was ever put: then a clock was wrong, and it is due. */
export const isDue = ({ dueAtMs }: OwedReplacement, nowMs: number): boolean =>
  nowMs >= dueAtMs || dueAtMs - nowMs > WAIT_MAX_MS;
