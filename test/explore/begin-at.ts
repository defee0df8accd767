/** A scenario that begins later: where all went well so far, and every agent has just started again. */
import type { ProjectState } from "../../workflows/record.ts";
import { REAL_RULES } from "./rules.ts";
import type { Scenario } from "./scenario.ts";
import { createSpace } from "./space.ts";
import { createStateTable } from "./state-table.ts";

export const beginAt = (
  scenario: Scenario,
  isThere: (record: ProjectState) => boolean,
): Scenario => {
  const space = createSpace({ ...scenario, tasksMax: 1, troubles: 0 }, REAL_RULES);
  const table = createStateTable(space.width);
  const state = new Uint32Array(space.width);
  table.add(space.start(), 0, 0);
  for (let index = 0; index < table.count(); index += 1) {
    table.read(index, state);
    const { record, store, nodes } = space.viewOf(state);
    if (isThere(record)) {
      const restarted = Object.entries(nodes).map(([name, node]) => [
        name,
        { ...node, view: null, tasks: [], gates: [] },
      ]);
      const made = scenario.pushes.length - space.requestsLeft(state);
      const pushes = scenario.pushes.slice(made);
      return { ...scenario, record, store, pushes, nodes: Object.fromEntries(restarted) };
    }
    space.visitNext(state, (next, label) => {
      table.add(next, index, label);
    });
  }
  throw new Error(`${scenario.name} never gets there`);
};
