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

export const explore = (space: ExploredSpace, statesMax: number): Explored => {
  const began = performance.now();
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
    breach: what === null ? null : { what, story: tellStory(space, table, index) },
  });
  table.add(space.start(), 0, space.labelOf("the beginning"));
  for (let index = 0; index < table.count(); index += 1) {
    if (table.count() >= statesMax) return end(null, index, false);
    table.read(index, state);
    const broken = space.check(state);
    if (broken !== null) return end(broken, index, true);
    let breach: string | null = null;
    let at = index;
    space.visitNext(state, (next, label, wrong) => {
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
  return end(null, 0, true);
};

const tellStory = (space: ExploredSpace, table: StateTable, index: number): string[] => {
  const path: number[] = [];
  for (let at = index; ; at = table.parentOf(at)) {
    path.unshift(at);
    if (at === 0) break;
  }
  const state = new Uint32Array(space.width);
  let before = "";
  return path.map((at) => {
    table.read(at, state);
    const record = space.describe(state);
    const isNew = record !== before;
    before = record;
    return `${space.labelText(table.labelOf(at))}${isNew ? `  [record: ${record}]` : ""}`;
  });
};
