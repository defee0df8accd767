/** The situations that are explored: who serves what at the beginning, and what may then happen. */
import { DATA, projectOf, running, spec, WEB, X, Y } from "../../workflows/deploy/given-deploys.ts";
import type { NodeId } from "../../workflows/ids.ts";
import { beginAt } from "./begin-at.ts";
import type { Push } from "./control-moves.ts";
import type { Scenario } from "./scenario.ts";
import { EMPTY_NODE, type NodeWorld } from "./world.ts";

const OLD_VERSION: Readonly<Record<string, NodeWorld>> = {
  [X]: {
    ...EMPTY_NODE,
    fences: { containers: { [WEB]: 1 }, volumes: { [DATA]: 1 } },
    copies: [
      {
        ...{ volume: DATA, role: "live", epoch: 1, content: "current", marker: null },
        taintedBy: 0,
      },
    ],
    running: [{ container: WEB, epoch: 1, mounts: [`${DATA} live-e1`] }],
    gates: [{ container: WEB, epoch: 1 }],
    view: 0,
  },
  [Y]: EMPTY_NODE,
};

const PLAIN: Scenario = {
  name: "move",
  says: "version 1 serves on x; a push moves it to y",
  record: running,
  nodes: OLD_VERSION,
  store: { reports: [], current: [], broken: [] },
  pushes: [{ id: "second", letter: "b", spec: projectOf({ [WEB]: spec("two", Y) }) }],
  troubles: Number.POSITIVE_INFINITY,
  tasksMax: 1,
  sick: [],
  canCancel: false,
  canLose: false,
  mayRest: () => false,
};

const to = (id: string, letter: string, image: string, node: NodeId): Push => ({
  id,
  letter,
  spec: projectOf({ [WEB]: spec(image, node) }),
});

const STALLED: Scenario = {
  ...PLAIN,
  name: "stalled",
  says: "as move; a step may stand still while others go on",
  tasksMax: 2,
};

const SECOND = to("second", "b", "two", Y);

export const SCENARIOS: readonly Scenario[] = [
  PLAIN,
  STALLED,
  {
    ...beginAt(STALLED, ({ deploy }) => deploy?.phase.name === "starting"),
    name: "way-back",
    says: "as stalled, from the moment when version 2 may start on y",
  },
  {
    ...PLAIN,
    name: "stay",
    says: "as move, but version 2 runs on x too",
    pushes: [to("second", "b", "two", X)],
  },
  { ...PLAIN, name: "sick", says: "as move, but version 2 never becomes healthy", sick: ["two"] },
  {
    ...PLAIN,
    name: "again",
    says: "a second push, back to x, may come at any time; either may be cancelled",
    pushes: [SECOND, to("third", "c", "three", X)],
    canCancel: true,
  },
  {
    ...PLAIN,
    name: "loss",
    says: "as again; a machine that is down may be given up for lost",
    pushes: [SECOND, to("third", "c", "three", Y)],
    canLose: true,
    mayRest: ({ containers }) => Object.keys(containers).length === 0,
  },
];

export const findScenario = (name: string): Scenario => {
  const found = SCENARIOS.find((scenario) => scenario.name === name);
  if (found === undefined) throw new Error(`no scenario ${name}`);
  return found;
};
