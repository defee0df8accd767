/**
 * How long something took by a clock that may be set back meanwhile, in whole milliseconds: never less
 * than none, which no record or report would take.
 */
export const elapsedMs = (sinceMs: number, nowMs: number): number =>
  Math.max(0, Math.round(nowMs - sinceMs));
