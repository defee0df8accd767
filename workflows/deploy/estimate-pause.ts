/** The pause that a plan foresees, before anything is copied. */
import { COPY_ROUNDS_MAX, COPY_SHRINK_RATIO, COPY_SMALL_BYTES } from "./limits.ts";

/** A volume as a plan knows it. */
export interface PlannedVolume {
  readonly dirtyBytes: number;
  /** How long it took to become so; null: it has no snapshot yet. */
  readonly dirtyForMs: number | null;
  /** Another node must bring the last delta from the store. */
  readonly isMoved: boolean;
}

/** What earlier deploys tell; see known-pause.ts. */
export interface KnownPause {
  readonly baseMs: number;
  readonly rateBytesPerS: number;
}

/**
 * Milliseconds without a writer that a deploy of these volumes would take, as far as a plan can tell.
 * Copies run beside the containers, so only what is written during the last of them is left for the
 * pause, once up and, for a move, once down again. It assumes that data move at the rate given and
 * are written on average as since the last snapshot; a volume without one leaves a small delta.
 */
export const estimatePause = (
  volumes: readonly PlannedVolume[],
  { baseMs, rateBytesPerS }: KnownPause,
): number => {
  const moveMs = volumes.map((volume) => {
    const bytes = estimateLastDelta(volume, rateBytesPerS / 1_000);
    return (bytes / rateBytesPerS) * 1_000 * (volume.isMoved ? 2 : 1);
  });
  return Math.round(moveMs.reduce((sum, ms) => sum + ms, baseMs));
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
