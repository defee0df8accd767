/**
 * Whether the report of a step may stand in the store already. A node has one agent: the report of a
 * step that became owed after the agent's start can only be the agent's own, which it remembers. That
 * saves a request of each step, in the gap too. A wrong clock costs a step that is done once more: of
 * several results the first stands.
 */
export interface ReportMemory {
  mayStand(key: string, owedSinceMs: number): boolean;
  written(key: string): void;
}

/** More than an agent has under way; what is forgotten here is looked up again. */
const KEYS_MAX = 10_000;

export const createReportMemory = (nowMs: () => number): ReportMemory => {
  let sureSinceMs = nowMs();
  const keys = new Set<string>();
  return {
    mayStand: (key, owedSinceMs) => owedSinceMs <= sureSinceMs || keys.has(key),
    written: (key) => {
      if (keys.size >= KEYS_MAX) {
        keys.clear();
        sureSinceMs = nowMs();
      }
      keys.add(key);
    },
  };
};
