/**
 * Which open projects a sweep hints at: all, unless so many are open that the hints themselves would
 * hold up their deploys. Then each sweep goes on where the last one ended.
 */

export interface TurnsOfMany {
  take(names: readonly string[]): readonly string[];
}

/** In one sweep. A hint costs about a sixth of a deploy. */
const HINTS_MAX = 100;

export const createTurnsOfMany = (max = HINTS_MAX): TurnsOfMany => {
  let last: string | null = null;
  return {
    take: (names) => {
      const sorted = [...names].sort();
      if (sorted.length <= max) return sorted;
      // Anywhere at first, so that processes that end soon do not all begin with the same.
      const after = last ?? sorted[Math.floor(Math.random() * sorted.length)] ?? "";
      const taken = [...sorted.filter((name) => name > after), ...sorted].slice(0, max);
      last = taken.at(-1) ?? null;
      return taken;
    },
  };
};
