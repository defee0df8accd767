/** All that can be explored by name: scenarios of nodes and of garbage, and what is broken on purpose. */
import { REAL_GARBAGE_RULES } from "./collector/garbage-rules.ts";
import { GARBAGE_SCENARIOS } from "./collector/garbage-scenarios.ts";
import { createGarbageSpace } from "./collector/garbage-space.ts";
import { GARBAGE_VARIANTS } from "./collector/garbage-variants.ts";
import type { ExploredSpace } from "./explored-space.ts";
import { REAL_RULES } from "./rules.ts";
import { SCENARIOS } from "./scenarios.ts";
import { createSpace } from "./space.ts";
import { VARIANTS } from "./variants.ts";

export interface Subject {
  readonly name: string;
  readonly says: string;
  /** How many machines are played in it; collectors run anywhere. */
  readonly nodes: number;
  /** Where an exploration ends if nobody says how far to go: a gigabyte, or a minute or two. */
  readonly statesMax: number;
}

const STATES_MAX = 800_000;
/** A world of objects is a text of a kilobyte. */
const GARBAGE_STATES_MAX = 250_000;

export const SUBJECTS: readonly Subject[] = [
  ...SCENARIOS.map(({ name, says, nodes, statesMax = STATES_MAX }) => ({
    ...{ name, says, nodes: Object.keys(nodes).length, statesMax },
  })),
  ...GARBAGE_SCENARIOS.map(({ name, says }) => ({
    ...{ name, says, nodes: 0, statesMax: GARBAGE_STATES_MAX },
  })),
];

export interface BrokenRule {
  readonly name: string;
  readonly says: string;
  /** The scenario in which it shows. */
  readonly scenario: string;
}

export const BROKEN_RULES: readonly BrokenRule[] = [...VARIANTS, ...GARBAGE_VARIANTS];

/** The scenario under the real rules, or under the broken ones of that name. */
export const openSubject = (scenario: string, broken: string | null): ExploredSpace => {
  const ofGarbage = GARBAGE_SCENARIOS.find(({ name }) => name === scenario);
  if (ofGarbage !== undefined) {
    const rules = broken === null ? REAL_GARBAGE_RULES : find(GARBAGE_VARIANTS, broken).rules();
    return createGarbageSpace(ofGarbage, rules);
  }
  const rules = broken === null ? REAL_RULES : find(VARIANTS, broken).rules();
  return createSpace(find(SCENARIOS, scenario), rules);
};

const find = <T extends { readonly name: string }>(among: readonly T[], wanted: string): T => {
  const found = among.find(({ name }) => name === wanted);
  if (found === undefined) throw new Error(`nothing to explore is called ${wanted}`);
  return found;
};
