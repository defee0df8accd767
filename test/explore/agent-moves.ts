/** What an agent can do next by the record that it last read: the real rules, with modelled effects. */
import { DATA, NOW, WEB } from "../../workflows/deploy/given-deploys.ts";
import type { Report } from "../../workflows/deploy/messages.ts";
import { contentOf, stepKind } from "../../workflows/deploy/steps.ts";
import { type Epoch, type NodeId, SnapshotId } from "../../workflows/ids.ts";
import { assignNode, type RunOrder } from "../../workflows/node/assignment.ts";
import { isStartAllowed, reconcile } from "../../workflows/node/reconcile.ts";
import type { ProjectState, SnapshotRef } from "../../workflows/record.ts";
import { type Move, type Mutation, type NodeWorld, patch, rename, type World } from "./world.ts";

const snapshotRef = (id: string, epoch: Epoch): SnapshotRef => ({
  id: SnapshotId.parse(id),
  epoch,
  takenAtMs: NOW,
  digest: "",
  files: 0,
  bytes: 0,
  storedBytes: 0,
  kind: "final",
  stopped: "clean",
  deployId: null,
});

export const agentMoves = (
  world: World,
  node: string,
  here: NodeWorld,
  view: ProjectState,
  mutation: Mutation,
): Move[] => {
  const assignment = assignNode(view, node as NodeId);
  const wanted = Math.max(
    assignment.fences.volumes[DATA] ?? 0,
    assignment.fences.containers[WEB] ?? 0,
  );
  const fence = Math.max(here.fence, wanted);
  if (fence !== here.fence)
    return [{ name: `${node}: raises its fence`, world: patch(world, node, { fence }) }];
  const [action] = reconcile(assignment, {
    containers:
      here.running === null
        ? []
        : [{ container: WEB, epoch: here.running as Epoch, isRunning: true }],
    directories: Object.keys(here.copies).flatMap((name) =>
      name.startsWith("live-") ? [{ volume: DATA, epoch: Number(name.slice(5)) as Epoch }] : [],
    ),
    gates: here.gate === null ? [] : [{ container: WEB, epoch: here.gate as Epoch }],
  });
  const acted = action === undefined ? [] : act(world, node, here, action, mutation);
  const stepped = assignment.steps.flatMap(({ deployId, step }) =>
    world.reports[`${deployId} ${step} ${node}`] === undefined
      ? runStep(world, node, here, view, assignment.run, step, mutation)
      : [],
  );
  const early = assignment.run.find(({ epoch }) => epoch === here.running);
  const opened =
    mutation.openGateEarly === true && early !== undefined && here.gate === null
      ? [
          {
            name: `${node}: opens its gate early`,
            world: patch(world, node, { gate: early.epoch }),
          },
        ]
      : [];
  return [...acted, ...stepped, ...opened];
};

const act = (
  world: World,
  node: string,
  here: NodeWorld,
  action: ReturnType<typeof reconcile>[number],
  mutation: Mutation,
): Move[] => {
  const to = (change: Partial<NodeWorld>): Move[] => [
    { name: `${node}: ${action.kind}`, world: patch(world, node, change) },
  ];
  switch (action.kind) {
    case "close-gate":
      return to({ gate: null });
    case "stop":
      return to({ running: null });
    case "quarantine":
      return to({ copies: rename(here.copies, `live-${action.epoch}`, `branch-${action.epoch}`) });
    case "start":
      return start(world, node, here, action.order, mutation);
    case "open-gate":
      return here.running === action.order.epoch ? to({ gate: here.running }) : [];
  }
};

/** The directory of the order's epoch by the way its origin allows, then the start to the daemon. */
const start = (
  world: World,
  node: string,
  here: NodeWorld,
  order: RunOrder,
  mutation: Mutation,
): Move[] => {
  if (here.queued === order.epoch || here.running !== null) return [];
  const holds = {
    containers: { [WEB]: here.fence as Epoch },
    volumes: { [DATA]: here.fence as Epoch },
  };
  if (mutation.ignoreFence !== true && !isStartAllowed(order, holds)) return [];
  const copies = materialise(world, here, order);
  if (copies === null) return [];
  return [
    {
      name: `${node}: hands the start of ${order.epoch} to the daemon`,
      world: patch(world, node, { copies, queued: order.epoch }),
    },
  ];
};

const materialise = (
  world: World,
  here: NodeWorld,
  order: RunOrder,
): NodeWorld["copies"] | null => {
  const live = `live-${order.epoch}`;
  if (here.copies[live] !== undefined) return here.copies;
  const origin = order.volumes[0]?.origin;
  if (origin?.kind === "local") {
    const from = [`live-${origin.epoch}`, `sealed-${origin.epoch}`].find(
      (name) => here.copies[name] !== undefined,
    );
    return from === undefined ? null : rename(here.copies, from, live);
  }
  if (!order.mayHydrate || origin === undefined) return null;
  const bits = origin.kind === "empty" ? 0 : world.snapshots[origin.snapshotId];
  return bits === undefined ? null : { ...here.copies, [live]: bits };
};

const runStep = (
  world: World,
  node: string,
  here: NodeWorld,
  view: ProjectState,
  run: readonly RunOrder[],
  step: string,
  mutation: Mutation,
): Move[] => {
  const deploy = view.deploy;
  const kind = stepKind(step);
  const move = deploy?.volumes[DATA];
  if (deploy === null || deploy === undefined || move === undefined) return [];
  const done = (
    change: Partial<NodeWorld>,
    found: Partial<Report> = {},
    snapshots: World["snapshots"] = {},
  ): Move => {
    const report: Report = {
      project: view.project,
      deployId: deploy.id,
      step,
      node: node as NodeId,
      atMs: NOW,
      failure: null,
      volumes: {},
      containers: {},
      ...found,
    };
    const reports = { ...world.reports, [`${deploy.id} ${step} ${node}`]: report };
    const changed = patch(world, node, change);
    const name = `${node}: ${step}${report.failure === null ? "" : " fails"}`;
    return {
      name,
      world: { ...changed, reports, snapshots: { ...world.snapshots, ...snapshots } },
    };
  };
  switch (kind) {
    case "copy":
      return [
        done(
          {},
          {
            volumes: {
              [DATA]: {
                snapshot: snapshotRef(`${deploy.id}-${step}`, move.from?.epoch ?? (0 as Epoch)),
                changedBytes: 0,
                durationMs: 0,
              },
            },
          },
        ),
      ];
    case "prepare":
    case "hydrate":
      return contentOf(move, view.volumes[DATA]) === null && kind === "hydrate" ? [] : [done({})];
    case "seal": {
      const epoch = move.from?.epoch ?? (0 as Epoch);
      const origin = view.volumes[DATA]?.origin;
      const names = [
        `live-${epoch}`,
        `sealed-${epoch}`,
        ...(origin?.kind === "local" ? [`live-${origin.epoch}`, `sealed-${origin.epoch}`] : []),
      ];
      const from = names.find((name) => here.copies[name] !== undefined);
      if (from === undefined) return [];
      const id = `${deploy.id}-${step}`;
      const copies =
        mutation.keepDirectory === true
          ? here.copies
          : rename(here.copies, from, `sealed-${epoch}`);
      const stopped = mutation.sealWithoutStop === true ? {} : { running: null, gate: null };
      const found = { volumes: { [DATA]: { snapshot: snapshotRef(id, epoch) } } };
      return [done({ ...stopped, copies }, found, { [id]: here.copies[from] ?? 0 })];
    }
    case "unstart": {
      const epoch = view.volumes[DATA]?.epoch;
      return [
        done({
          running: null,
          gate: null,
          copies: rename(here.copies, `live-${epoch}`, `branch-${epoch}`),
        }),
      ];
    }
    default: {
      const [order] = run;
      if (order === undefined) return [];
      if (here.running !== order.epoch) return start(world, node, here, order, mutation);
      const sick = done({}, { failure: { code: "unhealthy", message: "unhealthy" } });
      return kind === "start" ? [done({}), sick] : [done({})];
    }
  }
};
