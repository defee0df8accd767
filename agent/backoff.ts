/** How long to leave a container that keeps dying alone. In memory: a new agent tries at once. */

const FIRST_MS = 1_000;
const LONGEST_MS = 60_000;
/** A container that ran this long is no longer counted as one that keeps dying. */
const FORGET_MS = 5 * 60_000;

export interface Backoff {
  isDue(name: string): boolean;
  /** A start was tried; the next one waits twice as long. */
  note(name: string): void;
}

export const createBackoff = (nowMs: () => number): Backoff => {
  const tries = new Map<string, { count: number; lastMs: number }>();
  const waitMs = (count: number) => Math.min(LONGEST_MS, FIRST_MS * 2 ** (count - 1));
  return {
    isDue: (name) => {
      const known = tries.get(name);
      return known === undefined || nowMs() >= known.lastMs + waitMs(known.count);
    },
    note: (name) => {
      const known = tries.get(name);
      const isFresh = known === undefined || nowMs() - known.lastMs > FORGET_MS;
      tries.set(name, { count: isFresh ? 1 : known.count + 1, lastMs: nowMs() });
    },
  };
};
