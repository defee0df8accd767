/** Breadth first through everything that can happen in a scenario, to the first thing that must not. */
import type { ExploredSpace } from "./explored-space.ts";
import { createEdgeList, createStateTable, type StateTable } from "./state-table.ts";

export interface Explored {
  readonly states: number;
  readonly transitions: number;
  /** Different project records among the states. */
  readonly records: number;
  readonly ms: number;
  /** False where the bound on states ended it. */
  readonly isComplete: boolean;
  /** How requests ended, in some state. */
  readonly ends: readonly string[];
  readonly breach: Breach | null;
}

export interface Breach {
  readonly what: string;
  /** The shortest way there, a line for each thing that happens. */
  readonly story: readonly string[];
}

export interface Extent {
  readonly statesMax: number;
  /** Whether states that are one but for names are taken for one. */
  readonly canMerge?: boolean;
}

export const explore = (space: ExploredSpace, { statesMax, canMerge = true }: Extent): Explored => {
  const began = performance.now();
  const merge = canMerge ? space.canonical : () => {};
  const table = createStateTable(space.width);
  const edges = createEdgeList();
  const state = new Uint32Array(space.width);
  const end = (what: string | null, index: number, isComplete: boolean): Explored => ({
    states: table.count(),
    transitions: edges.count(),
    records: space.recordCount(),
    ms: Math.round(performance.now() - began),
    isComplete,
    ends: space.ends(),
    breach: what === null ? null : { what, story: tellStory(space, merge, table, index) },
  });
  /** Nothing was broken on the way. */
  const endWith = (index: number, isComplete: boolean): Explored => {
    const found = space.afterwards();
    if (found === null) return end(null, index, isComplete);
    for (let at = 0; at < table.count(); at += 1) {
      table.read(at, state);
      if (found.isIn(state)) return end(found.what, at, isComplete);
    }
    return end(found.what, 0, isComplete);
  };
  const first = space.start().slice();
  merge(first);
  table.add(first, 0, space.labelOf("the beginning"));
  for (let index = 0; index < table.count(); index += 1) {
    if (table.count() >= statesMax) return endWith(index, false);
    table.read(index, state);
    const broken = space.check(state);
    if (broken !== null) return end(broken, index, true);
    let breach: string | null = null;
    let at = index;
    space.visitNext(state, (next, label, wrong) => {
      merge(next);
      const target = table.add(next, index, label);
      edges.push(target);
      if (wrong !== null && breach === null) [breach, at] = [wrong, index];
    });
    if (breach !== null) return end(breach, at, true);
    edges.endSource();
  }
  for (const { otherwise, isReached } of space.goals) {
    const isGoal = (index: number): boolean => {
      table.read(index, state);
      return isReached(state);
    };
    const stuck = edges.canReach(isGoal, table.count()).indexOf(0);
    if (stuck !== -1) return end(otherwise, stuck, true);
  }
  return endWith(0, true);
};

/** The path once more from the beginning, so that every name means the same all along. */
const tellStory = (
  space: ExploredSpace,
  merge: (state: Uint32Array) => void,
  table: StateTable,
  index: number,
): string[] => {
  const path: number[] = [];
  for (let at = index; at !== 0; at = table.parentOf(at)) path.unshift(at);
  let state = space.start().slice();
  let before = space.describe(state);
  const story = [`${space.labelText(table.labelOf(0))}  [record: ${before}]`];
  const wanted = new Uint32Array(space.width);
  for (const at of path) {
    table.read(at, wanted);
    const from = state;
    let label: number | null = null;
    space.visitNext(from, (next, by) => {
      if (label !== null) return;
      const merged = next.slice();
      merge(merged);
      if (!merged.every((word, i) => word === wanted[i])) return;
      [state, label] = [next.slice(), by];
    });
    const record = space.describe(state);
    const isNew = record !== before;
    before = record;
    story.push(`${space.labelText(label ?? 0)}${isNew ? `  [record: ${record}]` : ""}`);
  }
  return story;
};
