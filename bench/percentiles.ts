/** What so many waits amount to. */

export interface Waits {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly longestMs: number;
}

/** The smallest wait that the given share does not exceed, and so on; zeros when there is none. */
export const summariseWaits = (waitsMs: readonly number[]): Waits => {
  const sorted = waitsMs.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  const [p50Ms, p99Ms, p999Ms, longestMs] = [at(0.5), at(0.99), at(0.999), at(1)];
  return { count: sorted.length, p50Ms, p99Ms, p999Ms, longestMs };
};
