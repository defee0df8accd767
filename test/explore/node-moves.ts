/**
 * What can happen on a node by itself: its agent reads and acts by the real rules, its daemon executes
 * late starts, clients and new versions write, things die. Steps that a deploy waits for are in
 * step-moves.ts.
 */
import type { RunOrder } from "../../workflows/node/assignment.ts";
import { isOwnEpoch } from "../../workflows/node/own-copy.ts";
import type { Action } from "../../workflows/node/reconcile.ts";
import type { ProjectState } from "../../workflows/record.ts";
import { isAgentLockedOut } from "./locks.ts";
import {
  asNode,
  findMissing,
  forgetBranches,
  handToDaemon,
  hydrateAgain,
  isAllowed,
  isGivenUpCopy,
  isRunning,
  materialise,
  observe,
  raiseFences,
} from "./materialise.ts";
import type { Rules } from "./rules.ts";
import {
  changeCopy,
  dropCopy,
  findCopy,
  type NodeWorld,
  nameOf,
  type Outcome,
  type StoreWorld,
} from "./world.ts";

export interface NodeScene {
  readonly name: string;
  readonly node: NodeWorld;
  readonly store: StoreWorld;
  /** The record as it is, and by its number. */
  readonly record: ProjectState;
  /** The number by which an agent, or a step, remembers the record: one for all that it can't tell apart. */
  readonly agentView: number;
  readonly taskView: number;
  readonly recordOf: (id: number) => ProjectState;
  readonly rules: Rules;
  readonly tasksMax: number;
  readonly hasLeases: boolean;
  /** Commits whose containers never become healthy. */
  readonly isSick: (image: string) => boolean;
}

export const nodeMoves = (scene: NodeScene): Outcome[] => {
  const { node } = scene;
  if (!node.isOn) return [{ label: "boots", node: { ...node, isOn: true } }];
  return [
    ...daemonMoves(scene),
    ...writeMoves(scene),
    ...deathMoves(scene),
    ...leaseMoves(scene),
    ...(isAgentLockedOut(node) ? [] : readMoves(scene)),
    ...(isAgentLockedOut(node) || node.view === null
      ? []
      : agentMoves(scene, scene.recordOf(node.view))),
  ];
};

const readMoves = ({ node, name, record, agentView, rules }: NodeScene): Outcome[] => {
  if (node.view === agentView) return [];
  const { fences } = rules.assignNode(record, asNode(name));
  return [
    {
      label: "the agent reads the record and raises its fences",
      node: { ...raiseFences(node, fences), view: agentView },
    },
  ];
};

const daemonMoves = ({ node }: NodeScene): Outcome[] =>
  node.queued.map((start) => {
    const queued = node.queued.filter((other) => other !== start);
    const { container, epoch, sources, ...late } = start;
    const isThere = sources.every((source) => findCopy(node, source) !== undefined);
    const what = `the daemon executes the start of ${container} e${epoch}`;
    if (!isThere || isRunning(node, start as unknown as RunOrder)) {
      return { label: `${what}: its directory is gone`, node: { ...node, queued } };
    }
    return {
      label: what,
      node: {
        ...node,
        queued,
        running: [...node.running, { container, epoch, mounts: sources, ...late }].sort((a, b) =>
          a.container === b.container ? a.epoch - b.epoch : a.container < b.container ? -1 : 1,
        ),
      },
    };
  });

/** Through an open gate a write is acknowledged; behind a closed one a version may write as it starts. */
const writeMoves = ({ node, record, isSick }: NodeScene): Outcome[] =>
  node.running.flatMap(({ container, epoch, mounts }) =>
    mounts.flatMap((mount): Outcome[] => {
      const copy = findCopy(node, mount);
      const image = record.containers[container as RunOrder["container"]]?.spec.image;
      if (copy === undefined) return [];
      if (node.gates.some((gate) => gate.container === container && gate.epoch === epoch)) {
        if (image !== undefined && isSick(image)) return [];
        const label = `a write of a client of ${container} e${epoch} is acknowledged in ${mount}`;
        const breach =
          copy.content === "current"
            ? {}
            : { breach: `I2: the write to ${nameOf(copy)} does not stand on all earlier ones` };
        return [{ label, acknowledged: copy.volume, copy: mount, ...breach }];
      }
      const committed = record.containers[container as RunOrder["container"]]?.epoch ?? 0;
      if (epoch <= committed || copy.role !== "live" || copy.taintedBy !== 0) return [];
      const tainted = changeCopy(node, copy, { ...copy, taintedBy: epoch });
      if (tainted === null) return [];
      return [{ label: `${container} e${epoch} writes to ${mount} as it starts`, node: tainted }];
    }),
  );

/** At the end of its lease a node's gates are cut and what is guarded ends, before anybody else acts. */
const leaseMoves = ({ node, hasLeases }: NodeScene): Outcome[] => {
  if (!hasLeases) return [];
  if (node.isHeld) {
    const queued = node.queued.map((start) => ({ ...start, isLate: true as const }));
    const cut = { isHeld: false, gates: [], running: [], queued };
    return [
      {
        label: "its lease runs out, and its guard ends what runs",
        node: { ...node, ...cut },
        isTrouble: true,
      },
    ];
  }
  const session = node.session + 1;
  const begun = { session, isHeld: true, seenOver: node.session };
  return [{ label: `begins session ${session} of its lease`, node: { ...node, ...begun } }];
};

const deathMoves = ({ node, rules, hasLeases }: NodeScene): Outcome[] => {
  const dead = { view: null, tasks: [], gates: [] };
  const isBusy = node.view !== null || node.tasks.length > 0;
  const deaths: Outcome[] = [];
  if (isBusy) deaths.push({ label: "the agent dies", node: { ...node, ...dead }, isTrouble: true });
  if (isBusy || node.running.length > 0) {
    const queued = rules.restartPolicy === "always" ? comeBack(node) : [];
    deaths.push({
      label: "the machine goes down",
      node: { ...node, ...dead, running: [], queued, isOn: false, isHeld: !hasLeases },
      isTrouble: true,
    });
  }
  for (const running of node.running) {
    deaths.push({
      label: `${running.container} e${running.epoch} dies`,
      node: { ...node, running: node.running.filter((other) => other !== running) },
      isTrouble: true,
    });
  }
  return deaths;
};

/** With the policy `always` the daemon starts again what ran, whoever owns the volume by then. */
const comeBack = (node: NodeWorld): NodeWorld["queued"] =>
  node.running.map(({ container, epoch, mounts }) => ({ container, epoch, sources: mounts }));

/** The first action that the real rules name and that can be done; then caches that nobody needs. */
const agentMoves = (scene: NodeScene, view: ProjectState): Outcome[] => {
  const { node, name, rules } = scene;
  const assignment = rules.assignNode(view, asNode(name));
  for (const action of rules.reconcile(assignment, observe(node))) {
    const outcome = act(scene, view, action);
    if (outcome !== null) return [outcome];
  }
  return view.deploy === null ? dropCaches(scene, view) : [];
};

const act = (scene: NodeScene, view: ProjectState, action: Action): Outcome | null => {
  const { node } = scene;
  switch (action.kind) {
    case "close-gate":
      return {
        label: `closes the gate of ${action.container}`,
        node: { ...node, gates: node.gates.filter((g) => g.container !== action.container) },
      };
    case "stop": {
      const { container, epoch } = action;
      return {
        label: `stops the stray ${container} e${epoch}`,
        node: {
          ...node,
          gates: node.gates.filter((gate) => gate.container !== container),
          running: node.running.filter((r) => r.container !== container || r.epoch !== epoch),
        },
      };
    }
    case "quarantine": {
      const { volume, epoch } = action;
      const copy = findCopy(node, `${volume} live-e${epoch}`);
      if (copy === undefined) return null;
      const kept = changeCopy(node, copy, { ...copy, role: "branch" });
      if (kept === null) return null;
      return { label: `keeps ${nameOf(copy)} aside as a branch`, node: forgetBranches(kept) };
    }
    case "start":
      return restart(scene, view, action.order);
    case "open-gate": {
      const { container, epoch } = action.order;
      if (!isRunning(node, action.order)) return null;
      const gates = node.gates.filter((gate) => gate.container !== container);
      return {
        label: `opens the gate to ${container} e${epoch}`,
        node: { ...node, gates: [...gates, { container, epoch }] },
      };
    }
  }
};

/** Each directory, then the start: in the running version from the node's own disk only. */
const restart = (scene: NodeScene, view: ProjectState, order: RunOrder): Outcome | null => {
  const { node, store, rules } = scene;
  if (!isAllowed(node, order, rules)) return null;
  const missing = findMissing(node, order);
  if (missing !== undefined) {
    const made = materialise(node, store, missing, order.mayHydrate, rules);
    if (made === null) return null;
    return { label: `makes ${missing.name} live-e${missing.epoch} of its own copy`, node: made };
  }
  if (node.queued.some((q) => q.container === order.container && q.epoch === order.epoch)) {
    return null;
  }
  const ready = rules.restartFrom === "head" ? hydrateAgain(node, store, order, view) : node;
  return {
    label: `asks the daemon to start ${order.container} e${order.epoch}`,
    node: handToDaemon(ready, order),
  };
};

/** As agent/tend-caches.ts does it: one sealed copy stays as a cache. */
const dropCaches = ({ node, name }: NodeScene, view: ProjectState): Outcome[] => {
  const kept = keepGivenUp(node, name, view);
  if (kept !== null) return [kept];
  const outcomes: Outcome[] = [];
  const volumes = new Set(node.copies.map(({ volume }) => volume));
  for (const volume of volumes) {
    const owned = view.volumes[volume as keyof typeof view.volumes];
    const caches = node.copies
      .filter((copy) => copy.volume === volume && copy.role === "sealed")
      .filter(({ epoch }) => owned === undefined || !isOwnEpoch(owned, epoch as typeof owned.epoch))
      .sort((a, b) => b.epoch - a.epoch);
    const surplus = caches.filter(({ marker }) => marker !== null).slice(1);
    const staging = node.copies.filter(
      (copy) => copy.volume === volume && copy.role === "staging" && caches.length > 0,
    );
    for (const copy of [...surplus, ...staging]) {
      outcomes.push({
        label: `drops the cache ${nameOf(copy)}`,
        node: dropCopy(node, copy),
        ...(copy.content === "given-up" && { breach: "P3: data of an accepted loss are dropped" }),
      });
    }
  }
  return outcomes.slice(0, 1);
};

/** What the node sealed before it was given up becomes a branch. */
const keepGivenUp = (node: NodeWorld, name: string, view: ProjectState): Outcome | null => {
  for (const copy of node.copies) {
    const known = view.volumes[copy.volume as keyof typeof view.volumes];
    if (copy.role !== "sealed" || known === undefined) continue;
    if (!isGivenUpCopy(copy, known, name)) continue;
    const kept = changeCopy(node, copy, { ...copy, role: "branch" });
    if (kept === null) continue;
    return { label: `keeps ${nameOf(copy)} aside as a branch`, node: forgetBranches(kept) };
  }
  return null;
};
