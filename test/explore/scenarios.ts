/** The situations that are explored: who serves what at the beginning, and what may then happen. */
import type { ContainerSpec } from "../../workflows/container-spec.ts";
import {
  begin,
  DATA,
  given,
  projectOf,
  running,
  spec,
  start,
  until,
  WEB,
  X,
  Y,
} from "../../workflows/deploy/given-deploys.ts";
import { type ContainerName, LeaseSession, NodeId, VolumeName } from "../../workflows/ids.ts";
import type { ProjectState } from "../../workflows/record.ts";
import { beginAt } from "./begin-at.ts";
import type { Push } from "./control-moves.ts";
import type { Scenario } from "./scenario.ts";
import { EMPTY_NODE, emptyOf, type NodeWorld } from "./world.ts";

const Z = NodeId.parse("z");
const SIDE = "side" as ContainerName;
const LOGS = VolumeName.parse("logs");

/** A container and its volumes as they serve on a node. */
const serving = (
  containers: readonly ContainerName[],
  volumes: readonly VolumeName[],
  epoch = 1,
  /** What each container has mounted, if not all. */
  mounted: Readonly<Record<string, readonly VolumeName[]>> = {},
): NodeWorld => ({
  ...EMPTY_NODE,
  fences: {
    containers: Object.fromEntries(containers.map((name) => [name, epoch])),
    volumes: Object.fromEntries(volumes.map((name) => [name, epoch])),
  },
  copies: volumes.map((volume) => ({
    ...{ volume, role: "live", epoch, content: "current", marker: null },
    taintedBy: 0,
  })),
  running: containers.map((container) => ({
    ...{ container, epoch },
    mounts: (mounted[container] ?? volumes).map((volume) => `${volume} live-e${epoch}`),
  })),
  gates: containers.map((container) => ({ container, epoch })),
  view: 0,
});

const deployed = (containers: Record<string, ContainerSpec>): ProjectState =>
  until(begin(start, "first", "a", projectOf(containers)), null);

const PLAIN: Scenario = {
  name: "move",
  says: "version 1 serves on x; a push moves it to y",
  record: running,
  nodes: { [X]: serving([WEB], [DATA]), [Y]: EMPTY_NODE },
  alike: [],
  store: { reports: [], current: [], broken: [] },
  pushes: [{ id: "second", letter: "b", spec: projectOf({ [WEB]: spec("two", Y) }) }],
  troubles: Number.POSITIVE_INFINITY,
  tasksMax: 1,
  sick: [],
  canCancel: false,
  canLose: false,
  hasLeases: false,
  failoversMax: 0,
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

/** `on_node_loss: restore`, with a restore point, and containers that any node may run. */
const guarded = (image: string): ContainerSpec => ({ ...spec(image, X), constraints: [] });
const RESTORABLE: ProjectState = (() => {
  const project = {
    ...projectOf({ [WEB]: guarded("one") }),
    volumes: { [DATA]: { onNodeLoss: "restore" as const } },
  };
  const first = until(begin(start, "first", "a", project), null);
  const again = until(
    begin(first, "again", "b", { ...project, containers: { [WEB]: guarded("two") } }),
    null,
  );
  return given(again, {
    type: "lease.held",
    node: X,
    session: LeaseSession.parse(1),
    volumes: [DATA],
  });
})();

const SERVING_E2 = { [X]: serving([WEB], [DATA], 2), [Y]: EMPTY_NODE };

const restorable = (id: string, letter: string, node: NodeId): Push => ({
  ...{ id, letter },
  spec: {
    ...projectOf({ [WEB]: spec(id, node) }),
    volumes: { [DATA]: { onNodeLoss: "restore" as const } },
  },
});

/** On any node but x. */
const away = (image: string): ContainerSpec => ({
  ...spec(image, X),
  constraints: [{ subject: "id", key: "id", operator: "!=", value: X }],
});

const BOTH = { [WEB]: [DATA, LOGS], [SIDE]: [DATA] };
const SECOND = to("second", "b", "two", Y);

const FAIL_OVER_MOVE: Scenario = {
  ...PLAIN,
  name: "fail-over-move",
  says: "as fail-over, while a push moves the container to y",
  record: RESTORABLE,
  nodes: SERVING_E2,
  pushes: [restorable("second", "c", Y)],
  troubles: 2,
  hasLeases: true,
  failoversMax: 1,
  // The deploy that takes its place failed: the volume is detached, and waits for a push.
  mayRest: ({ containers }) => Object.keys(containers).length === 0,
};

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
  {
    ...PLAIN,
    name: "first",
    says: "nothing was ever deployed; the first push starts on x",
    record: start,
    nodes: { [X]: EMPTY_NODE, [Y]: EMPTY_NODE },
    store: { reports: [], current: [emptyOf(DATA)], broken: [] },
    pushes: [to("first", "a", "one", X), to("second", "b", "two", Y)],
    mayRest: ({ containers }) => Object.keys(containers).length === 0,
  },
  {
    ...PLAIN,
    name: "shared",
    says: "two containers share the volume; a push of one moves both to y",
    record: deployed({ [WEB]: spec("one", X), [SIDE]: spec("side", X) }),
    nodes: { [X]: serving([WEB, SIDE], [DATA]), [Y]: EMPTY_NODE },
    pushes: [
      {
        ...SECOND,
        spec: projectOf({ [WEB]: spec("two", Y), [SIDE]: spec("side", Y) }),
      },
    ],
  },
  {
    ...PLAIN,
    name: "two-volumes",
    says: "the container has two volumes, which move together to y",
    record: deployed({ [WEB]: spec("one", X, [DATA, LOGS]) }),
    nodes: { [X]: serving([WEB], [DATA, LOGS]), [Y]: EMPTY_NODE },
    pushes: [{ ...SECOND, spec: projectOf({ [WEB]: spec("two", Y, [DATA, LOGS]) }) }],
  },
  {
    ...PLAIN,
    name: "three-nodes",
    says: "a push moves it to y, the next one to z; the second may overtake the first",
    nodes: { [X]: serving([WEB], [DATA]), [Y]: EMPTY_NODE, [Z]: EMPTY_NODE },
    pushes: [SECOND, to("third", "c", "three", Z)],
  },
  {
    ...PLAIN,
    name: "anywhere",
    says: "a push moves it to whichever other node, of two that are alike",
    nodes: { [X]: serving([WEB], [DATA]), [Y]: EMPTY_NODE, [Z]: EMPTY_NODE },
    alike: [Y, Z],
    pushes: [{ id: "second", letter: "b", spec: projectOf({ [WEB]: away("two") }) }],
  },
  {
    ...PLAIN,
    name: "two-of-two",
    says: "two containers share a volume, one has another besides; their move may be cancelled",
    record: deployed({ [WEB]: spec("one", X, [DATA, LOGS]), [SIDE]: spec("side", X) }),
    nodes: { [X]: serving([WEB, SIDE], [DATA, LOGS], 1, BOTH), [Y]: EMPTY_NODE },
    pushes: [
      {
        ...SECOND,
        spec: projectOf({ [WEB]: spec("two", Y, [DATA, LOGS]), [SIDE]: spec("side", Y) }),
      },
    ],
    canCancel: true,
    troubles: 2,
  },
  {
    ...STALLED,
    name: "everything",
    says: "two volumes, of which two containers share one; three nodes; two pushes, cancelled or not; nodes given up for lost; steps that stand still",
    record: deployed({ [WEB]: spec("one", X, [DATA, LOGS]), [SIDE]: spec("side", X) }),
    nodes: {
      [X]: serving([WEB, SIDE], [DATA, LOGS], 1, BOTH),
      [Y]: EMPTY_NODE,
      [Z]: EMPTY_NODE,
    },
    pushes: [
      {
        ...SECOND,
        spec: projectOf({ [WEB]: spec("two", Y, [DATA, LOGS]), [SIDE]: spec("side", Y) }),
      },
      {
        ...to("third", "c", "three", Z),
        spec: projectOf({ [WEB]: spec("three", Z, [DATA, LOGS]), [SIDE]: spec("side", Z) }),
      },
    ],
    canCancel: true,
    canLose: true,
    mayRest: ({ containers }) => Object.keys(containers).length === 0,
  },
  {
    ...PLAIN,
    name: "fail-over-three",
    says: "as fail-over, with two nodes that may take its place, and lose it in turn",
    record: RESTORABLE,
    nodes: { ...SERVING_E2, [Z]: EMPTY_NODE },
    alike: [Y, Z],
    pushes: [],
    troubles: 2,
    hasLeases: true,
    failoversMax: 2,
    mayRest: ({ containers }) => Object.keys(containers).length === 0,
  },
  {
    ...PLAIN,
    name: "fail-over",
    says: "the volume may go on without its node, whose lease runs out; two troubles at most",
    record: RESTORABLE,
    nodes: SERVING_E2,
    pushes: [],
    troubles: 2,
    hasLeases: true,
    failoversMax: 1,
    // The deploy that takes its place failed: the volume is detached, and waits for a push.
    mayRest: ({ containers }) => Object.keys(containers).length === 0,
  },
  FAIL_OVER_MOVE,
  {
    ...beginAt(FAIL_OVER_MOVE, ({ deploy }) => deploy?.phase.name === "starting"),
    name: "fail-over-back",
    says: "as fail-over-move, from the moment when version 2 may start on y",
  },
  {
    ...beginAt(
      { ...PLAIN, record: RESTORABLE, nodes: SERVING_E2, pushes: [restorable("second", "c", Y)] },
      ({ deploy }) => deploy?.phase.name === "draining",
    ),
    name: "loss-back",
    says: "x is being drained and may be given up; a push then moves the container back to it",
    pushes: [restorable("third", "d", X)],
    canLose: true,
    statesMax: 1_200_000,
    mayRest: ({ containers }) => Object.keys(containers).length === 0,
  },
];
