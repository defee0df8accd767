/** When pre-copy has done what it can, and what pause is left. */
import type { VolumeMove } from "../record.ts";
import { COPY_ROUNDS_MAX, COPY_SHRINK_RATIO, COPY_SMALL_BYTES } from "./limits.ts";

/** Stop, create, start and first health check, before any byte of the volume moves. */
const FIXED_PAUSE_MS = 1_500;

type Copies = Pick<VolumeMove, "copies">;

const changedIn = (moves: readonly Copies[], round: number): number =>
  moves.reduce(
    (sum, { copies }) => sum + (copies.find((copy) => copy.round === round)?.changedBytes ?? 0),
    0,
  );

/** Rounds go on while the last one was not small, and shrank. */
export const needsAnotherRound = (moves: readonly Copies[], round: number): boolean => {
  if (round >= COPY_ROUNDS_MAX) return false;
  const changed = changedIn(moves, round);
  if (changed <= COPY_SMALL_BYTES) return false;
  return round === 1 || changed < changedIn(moves, round - 1) * COPY_SHRINK_RATIO;
};

/** Milliseconds without a writer, from the first round's rate and the last round's delta. */
export const predictPause = (moves: readonly Copies[]): number | null => {
  const first = moves.flatMap(({ copies }) => copies.slice(0, 1));
  const last = moves.flatMap(({ copies }) => copies.slice(-1));
  if (first.length === 0) return null;
  const bytes = first.reduce((sum, copy) => sum + copy.changedBytes, 0);
  const durationMs = first.reduce((sum, copy) => sum + copy.durationMs, 0);
  const delta = last.reduce((sum, copy) => sum + copy.changedBytes, 0);
  const isOneRound = last.every((copy) => copy.round === 1);
  const moveMs = isOneRound || bytes === 0 ? 0 : (delta / bytes) * durationMs * 2;
  return Math.round(FIXED_PAUSE_MS + moveMs);
};
