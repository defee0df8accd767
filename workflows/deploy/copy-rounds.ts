/** When pre-copy has done what it can, and what pause is left: foreseen by a plan, then predicted. */
import type { EndedDeploy, VolumeMove } from "../record.ts";
import { COPY_ROUNDS_MAX, COPY_SHRINK_RATIO, COPY_SMALL_BYTES } from "./limits.ts";

/** Stop, create, start and first health check, before any byte of the volume moves. */
const FIXED_PAUSE_MS = 1_500;

/** What a copy is taken to move where no earlier one tells: an S3 store over a gigabit link. */
const RATE_DEFAULT_BYTES_PER_S = 50_000_000;

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

/** A volume as a plan knows it, before anything is copied. */
export interface PlannedVolume {
  readonly dirtyBytes: number;
  /** How long it took to become so; null: it has no snapshot yet. */
  readonly dirtyForMs: number | null;
  /** Another node must bring the last delta from the store. */
  readonly isMoved: boolean;
}

/**
 * Milliseconds without a writer that a deploy of these volumes would take, as far as a plan can tell.
 * Copies run beside the containers, so only what is written during the last of them is left for the
 * pause, once up and, for a move, once down again. It assumes that data move at the rate given and
 * are written on average as since the last snapshot; a volume without one leaves a small delta.
 */
export const estimatePause = (volumes: readonly PlannedVolume[], rateBytesPerS: number): number => {
  const moveMs = volumes.map((volume) => {
    const bytes = estimateLastDelta(volume, rateBytesPerS / 1_000);
    return (bytes / rateBytesPerS) * 1_000 * (volume.isMoved ? 2 : 1);
  });
  return Math.round(moveMs.reduce((sum, ms) => sum + ms, FIXED_PAUSE_MS));
};

const estimateLastDelta = (volume: PlannedVolume, bytesPerMs: number): number => {
  const { dirtyBytes, dirtyForMs, isMoved } = volume;
  if (dirtyForMs === null) return Math.min(dirtyBytes, COPY_SMALL_BYTES);
  const writtenPerMs = dirtyBytes / Math.max(1, dirtyForMs);
  const writtenWhile = (bytes: number) => Math.min(dirtyBytes, (bytes / bytesPerMs) * writtenPerMs);
  let copied = dirtyBytes;
  for (let round = 1; round < COPY_ROUNDS_MAX && copied > COPY_SMALL_BYTES; round += 1) {
    const next = writtenWhile(copied);
    const hasStalled = next >= copied * COPY_SHRINK_RATIO;
    copied = next;
    if (hasStalled) break;
  }
  return writtenWhile(isMoved ? copied * 2 : copied);
};

/** The rate of the newest copy that was large enough to tell, or what is usual. */
export const knownCopyRate = (history: readonly Pick<EndedDeploy, "volumes">[]): number => {
  const copies = history.flatMap(({ volumes }) =>
    Object.values(volumes).flatMap((move) => move.copies),
  );
  const telling = copies.findLast(
    ({ changedBytes, durationMs }) => changedBytes >= COPY_SMALL_BYTES && durationMs > 0,
  );
  return telling === undefined
    ? RATE_DEFAULT_BYTES_PER_S
    : (telling.changedBytes / telling.durationMs) * 1_000;
};
