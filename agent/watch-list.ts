/**
 * Projects to look at again although nobody says so: their messages may be lost. Soon after something
 * was heard of one, and ever more rarely after that: with many deploys under way at once, these looks
 * would be most of what the store is asked.
 */
import type { ProjectId } from "../workflows/ids.ts";

export interface WatchList {
  /** Something was heard of it. */
  touch(project: ProjectId): void;
  /** It was looked at and is not at rest. */
  keep(project: ProjectId): void;
  /** It is at rest. */
  drop(project: ProjectId): void;
  /** Those whose turn it is; to be asked once in each interval. */
  takeDue(): ProjectId[];
}

/** Intervals between two looks at most: not longer than the sweep takes to send a step again. */
const INTERVALS_MAX = 8;

export const createWatchList = (): WatchList => {
  const waits = new Map<ProjectId, { left: number; next: number }>();
  return {
    touch: (project) => void waits.set(project, { left: 1, next: 2 }),
    keep: (project) => {
      if (!waits.has(project)) waits.set(project, { left: 1, next: 2 });
    },
    drop: (project) => void waits.delete(project),
    takeDue: () => {
      const due: ProjectId[] = [];
      for (const [project, wait] of waits) {
        wait.left -= 1;
        if (wait.left > 0) continue;
        due.push(project);
        waits.set(project, { left: wait.next, next: Math.min(wait.next * 2, INTERVALS_MAX) });
      }
      return due;
    },
  };
};
