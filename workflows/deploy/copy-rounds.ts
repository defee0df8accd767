/**
 * When pre-copy has done what it can, and what pause is left. In a round the sources copy what was
 * written since the round before, while the targets fetch what that one had copied; so a round is as
 * long as what the one before left over, and rounds get shorter until they stop helping.
 */
import type { Deploy, EndedDeploy, VolumeMove } from "../record.ts";
import { knownBasePause, knownCopyRate } from "./known-pause.ts";
import { COPY_ROUNDS_MAX, COPY_SHRINK_RATIO, COPY_SMALL_BYTES, COPY_WORTH_MS } from "./limits.ts";

/** What a round takes that moves nothing: messages, the record, a walk over the volume. */
const ROUND_BASE_MS = 300;
/** From the decision to drain to the moment when the containers have stopped writing. */
const STOP_LEAD_MS = 300;
/** With a budget to meet even a small gain is worth another round. */
const BUDGET_SHRINK_RATIO = 0.95;

export interface PauseFacts {
  readonly deploy: Pick<Deploy, "volumes">;
  readonly history: readonly Pick<EndedDeploy, "volumes" | "containers" | "gapMs" | "result">[];
  readonly nowMs: number;
}

/** The pause if the containers stopped now, and if they stopped after another round. */
export interface Outlook {
  readonly baseMs: number;
  readonly moveBytes: number;
  readonly pauseMs: number;
  readonly nextPauseMs: number;
}

/** Null while nothing was copied that could tell. */
export const foreseePause = ({ deploy, history, nowMs }: PauseFacts): Outlook | null => {
  const moves = Object.values(deploy.volumes).filter(({ copies }) => copies.length > 0);
  if (moves.length === 0) return null;
  const rate = knownCopyRate([...history, deploy]) / 1_000;
  const baseMs = knownBasePause(history);
  const backlogs = moves.map((move) => findBacklog(move, nowMs));
  const now = addUp(backlogs);
  const roundMs = ROUND_BASE_MS + Math.max(now.unsentBytes, now.unfetchedBytes) / rate;
  const next = addUp(backlogs.map((backlog) => afterRound(backlog, roundMs)));
  const bytes = now.unsentBytes + now.unfetchedBytes;
  return {
    baseMs,
    moveBytes: Math.round(bytes),
    pauseMs: Math.round(baseMs + bytes / rate),
    nextPauseMs: Math.round(baseMs + (next.unsentBytes + next.unfetchedBytes) / rate),
  };
};

interface Backlog {
  readonly writtenPerMs: number;
  readonly isMoved: boolean;
  /** Written and not copied, by the time that the containers have stopped. */
  readonly unsentBytes: number;
  /** What the target lacks then; of a volume that stays, nothing. */
  readonly unfetchedBytes: number;
}

const findBacklog = (move: VolumeMove, nowMs: number): Backlog => {
  const { from, to, copies, prepared } = move;
  const last = copies.at(-1);
  const before = copies.at(-2);
  const isMoved = to !== null && from !== null && to !== from.node;
  if (last === undefined) return { writtenPerMs: 0, isMoved, unsentBytes: 0, unfetchedBytes: 0 };
  const sinceMs = Math.max(1, nowMs - beginOf(last, nowMs) + STOP_LEAD_MS);
  // A first copy holds what was written in all of the volume's life: it tells little of now.
  const writtenPerMs =
    before === undefined
      ? Math.min(last.changedBytes, COPY_SMALL_BYTES) / sinceMs
      : last.changedBytes / Math.max(1, beginOf(last, nowMs) - beginOf(before, nowMs));
  const unsentBytes = writtenPerMs * sinceMs;
  const staged = copies.findLastIndex(({ snapshotId }) => snapshotId === prepared?.snapshotId);
  const behind = copies.slice(staged + 1).reduce((sum, copy) => sum + copy.changedBytes, 0);
  return { writtenPerMs, isMoved, unsentBytes, unfetchedBytes: isMoved ? behind + unsentBytes : 0 };
};

const beginOf = ({ takenAtMs, durationMs }: VolumeMove["copies"][number], nowMs: number): number =>
  (takenAtMs ?? nowMs) - durationMs;

const afterRound = (backlog: Backlog, roundMs: number): Backlog => {
  const unsentBytes = backlog.writtenPerMs * (roundMs + STOP_LEAD_MS);
  const unfetchedBytes = backlog.isMoved ? backlog.unsentBytes + unsentBytes : 0;
  return { ...backlog, unsentBytes, unfetchedBytes };
};

const addUp = (backlogs: readonly Backlog[]) => ({
  unsentBytes: backlogs.reduce((sum, { unsentBytes }) => sum + unsentBytes, 0),
  unfetchedBytes: backlogs.reduce((sum, { unfetchedBytes }) => sum + unfetchedBytes, 0),
});

/** The shortest `max_pause` of the volumes whose writers must stop; null: none has one. */
export const pauseBudget = ({ volumes }: Pick<Deploy, "volumes">): number | null => {
  const budgets = Object.values(volumes).flatMap(({ from, settings }) =>
    from === null || settings.maxPauseMs === undefined ? [] : [settings.maxPauseMs],
  );
  return budgets.length === 0 ? null : Math.min(...budgets);
};

/** A target must have staged a copy before the stop; then rounds go on while they promise to help. */
export const needsAnotherRound = (facts: PauseFacts, round: number): boolean => {
  if (round >= COPY_ROUNDS_MAX) return false;
  const moves = Object.values(facts.deploy.volumes);
  const leaves = moves.some(({ from, to }) => from !== null && to !== null && from.node !== to);
  if (round === 1 && leaves) return true;
  const outlook = foreseePause(facts);
  if (outlook === null) return false;
  const budget = pauseBudget(facts.deploy);
  const isOver = budget !== null && outlook.pauseMs > budget;
  const [left, next] = [outlook.pauseMs, outlook.nextPauseMs].map((ms) => ms - outlook.baseMs);
  if (left === undefined || next === undefined) return false;
  if (isOver) return next < left * BUDGET_SHRINK_RATIO;
  return left - next >= COPY_WORTH_MS && next < left * COPY_SHRINK_RATIO;
};
