/** How fast something goes on now: over the last seconds, because the average of hours says little. */

const WINDOW_MS = 10_000;
/** A rate from a shorter time jumps about. */
const SHORTEST_MS = 500;

export interface ProgressRate {
  /** Takes how far it is; bytes per second, or null while there is nothing to tell from. */
  add(doneBytes: number, atMs: number): number | null;
}

export const createProgressRate = (): ProgressRate => {
  let samples: { readonly doneBytes: number; readonly atMs: number }[] = [];
  return {
    add: (doneBytes, atMs) => {
      const first = samples.findLast((sample) => sample.atMs <= atMs - WINDOW_MS);
      const from = first?.atMs ?? Number.NEGATIVE_INFINITY;
      samples = [...samples.filter((sample) => sample.atMs >= from), { doneBytes, atMs }];
      const oldest = samples[0];
      if (oldest === undefined || atMs - oldest.atMs < SHORTEST_MS) return null;
      return Math.max(0, ((doneBytes - oldest.doneBytes) * 1_000) / (atMs - oldest.atMs));
    },
  };
};
