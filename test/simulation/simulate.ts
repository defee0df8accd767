/**
 * One run: two control machines and two nodes, their store and queues, a client that writes and one
 * that pushes; a scenario's faults; then everything is mended, comes to rest, and is looked at.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { openProjectRecords } from "../../adapters/project-records.ts";
import { CORDONS_PREFIX } from "../../adapters/store-keys.ts";
import { addProject } from "../../functions/projects.ts";
import { isOpen } from "../../workflows/deploy/duties.ts";
import type { NodeId } from "../../workflows/ids.ts";
import type { EndedDeploy } from "../../workflows/record.ts";
import { blindRecords } from "./blind-records.ts";
import { closeLeftOpen, useTimersOf } from "./built-ins.ts";
import { createPusher, type Pusher, SECRET, startWriter, type Writer } from "./clients.ts";
import { type Control, createControl, PROJECT } from "./control.ts";
import { enforceLaws, type Laws } from "./laws.ts";
import type { Machine } from "./machine.ts";
import type { Mutation } from "./mutation.ts";
import { createNode, type Node } from "./node.ts";
import { createQueues } from "./queues.ts";
import {
  CONTROLS,
  MACHINES,
  NODES,
  type NodeName,
  type Scenario,
  TROUBLED_MS,
  volumesOf,
} from "./scenario.ts";
import type { Site } from "./site.ts";
import { createSharedStore } from "./store.ts";
import { strike } from "./strike.ts";
import { createWorld, type World } from "./world.ts";

export interface Installation {
  readonly site: Site;
  readonly laws: Laws;
  readonly pusher: Pusher;
  readonly writer: Writer;
  node(name: string): Node;
  machine(name: string): Machine;
  control(name: string): Control;
  /** Nodes that stay away until all else has been looked at. */
  readonly lost: Set<NodeId>;
  collect(control: string): void;
}

export interface Outcome {
  /** What did not hold; empty: all is well. */
  readonly breaches: readonly string[];
  readonly story: readonly string[];
  readonly acknowledged: number;
  /** How the deploys ended, in the order in which they did. */
  readonly results: readonly string[];
  readonly ended: readonly EndedDeploy[];
  readonly revisions: number;
  /** How often a volume went on without its node. */
  readonly losses: number;
}

export interface SimulateOptions {
  readonly mutation?: Mutation;
  /** The log's lines are part of the story. */
  readonly isTold?: boolean;
  /** The longest between two records of the client. */
  readonly writeEveryMsMax?: number;
  /** When all is mended; default: soon after the last fault of a drawn scenario has passed. */
  readonly mendedAfterMs?: number;
  /** More that happens, beside the scenario. */
  readonly also?: (installation: Installation) => void;
}

/** The file system in memory, where there is one: nothing is synced in a world anyway. */
const PARENT = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
/** Deadlines of a deploy are minutes, and of its pre-copy a day. */
const REST_MS_MAX = 2 * 60 * 60_000;
const PROBE_MS_MAX = 60 * 60_000;
/** What goes on without a lost node has begun to by then, and has ended a deploy that waited for it. */
const GO_ON_MS_MAX = 30 * 60_000;
const BRANCHES_MS_MAX = 10 * 60_000;
/** Faults last at most so long after they began. */
const MENDED_AFTER_MS = TROUBLED_MS + 65_000;

export const simulate = async (
  scenario: Scenario,
  {
    mutation = null,
    isTold = false,
    also,
    writeEveryMsMax,
    mendedAfterMs = MENDED_AFTER_MS,
  }: SimulateOptions = {},
): Promise<Outcome> => {
  const directory = mkdtempSync(join(PARENT, "bagage-simulated-"));
  const world = createWorld(scenario.seed);
  useTimersOf(world);
  try {
    const hasLeases = scenario.onNodeLoss === "restore";
    const site = { ...openSite(world, directory, mutation, isTold), hasLeases };
    const installation = install(site, scenario, writeEveryMsMax);
    also?.(installation);
    await live(installation, scenario, mendedAfterMs);
    const { laws, writer } = installation;
    return {
      breaches: world.breaches,
      story: world.story,
      acknowledged: writer.acknowledged.length,
      results: laws.receipts().map(({ result }) => result),
      ended: laws.receipts(),
      revisions: laws.revisions.length,
      losses: laws.volumes.reduce((sum, { losses }) => sum + losses.length, 0),
    };
  } finally {
    closeLeftOpen();
    useTimersOf(null);
    rmSync(directory, { recursive: true, force: true });
  }
};

const openSite = (
  world: World,
  directory: string,
  mutation: Mutation,
  isTold: boolean,
): Omit<Site, "hasLeases"> => {
  const log = pino(
    { level: isTold ? "info" : "silent", base: null, timestamp: false },
    { write: (line: string) => world.note(`log ${line.trim()}`) },
  );
  return {
    world,
    directory,
    mutation,
    log,
    store: createSharedStore(world, mutation),
    queues: createQueues(world),
    blindRecords,
    onSeal: (node, { directory: sealed, snapshotId }) => {
      if (!/-seal-/.test(snapshotId)) return;
      const writes = [...node.daemon.containers.values()].some(({ held }) => held.length > 0);
      if (writes) world.breach(`I3: ${sealed} is sealed while a container runs on ${node.id}`);
    },
  };
};

const install = (
  site: Site,
  scenario: Scenario,
  writeEveryMsMax: number | undefined,
): Installation => {
  const nodes = NODES.map((name) => createNode(site, name));
  let controls: Control[] = [];
  const pusher = createPusher(site, () => controls, scenario);
  controls = CONTROLS.map((name) => createControl(site, name, pusher.git));
  let writer: Writer | null = null;
  const laws = enforceLaws(site, nodes, volumesOf(scenario), () => writer?.acknowledged ?? []);
  writer = startWriter(site, nodes, laws, writeEveryMsMax);
  const find = <T>(all: readonly T[], is: (one: T) => boolean): T => {
    const found = all.find(is);
    if (found === undefined) throw new Error("no such machine");
    return found;
  };
  const machines = [...controls, ...nodes].map(({ machine }) => machine);
  return {
    site,
    laws,
    pusher,
    writer,
    node: (name) => find(nodes, ({ id }) => id === name),
    machine: (name) => find(machines, (machine) => machine.name === name),
    control: (name) => find(controls, ({ machine }) => machine.name === name),
    lost: new Set(),
    collect: (name) => find(controls, ({ machine }) => machine.name === name).collect(PROJECT),
  };
};

const SETTINGS = {
  repository: "https://example.org/shop.git",
  ref: "refs/heads/main",
  file: "Deliverous",
  nodes: [],
  constraints: [],
};

const live = async (
  installation: Installation,
  scenario: Scenario,
  mendedAfterMs: number,
): Promise<void> => {
  const { site, laws, pusher, writer } = installation;
  const { world } = site;
  const { signal } = new AbortController();
  const store = site.store.raw;
  const records = openProjectRecords({
    store,
    nowMs: world.nowMs,
    newUuid: () => world.random.uuid(),
  });
  await addProject({ store, records }, PROJECT, SETTINGS, SECRET, signal);
  for (const name of MACHINES) installation.machine(name).start();
  for (const push of scenario.pushes) world.after(push.atMs, () => pusher.push(push));
  for (const fault of scenario.faults) world.after(fault.atMs, () => strike(installation, fault));
  await world.run(() => false, mendedAfterMs);
  await mend(installation, signal);
  const isAtRest = () => isIdle(laws);
  if (world.breaches.length > 0) return;
  if (!(await world.run(isAtRest, REST_MS_MAX))) {
    world.breach("L1: the running deploy does not end");
    return;
  }
  await probe(installation);
  if (world.breaches.length > 0) return;
  bringBack(installation);
  await world.run(() => laws.findMissingBranch() === null, BRANCHES_MS_MAX);
  writer.stop();
  if (world.breaches.length > 0) return;
  let isChecked = false;
  const checking = laws.checkEnd(pusher.accepted).finally(() => {
    isChecked = true;
  });
  checking.catch(() => undefined);
  // A breach ends the run, and with it the check.
  if (await world.run(() => isChecked, PROBE_MS_MAX)) await checking;
};

/** Nothing runs, nothing is asked for, and every end has its receipt. */
const isIdle = (laws: Laws): boolean => {
  const state = laws.state();
  return state !== null && !isOpen(state);
};

/** Clocks and cordons at once; nodes that are lost only if nothing can go on without them. */
const mend = async (installation: Installation, signal: AbortSignal): Promise<void> => {
  const { site, laws, lost } = installation;
  const { world, store } = site;
  for (const name of MACHINES) installation.machine(name).clockOffsetMs = 0;
  await uncordon(store, signal);
  const isUp = () =>
    NODES.every(
      (name) => lost.has(installation.node(name).id) || installation.machine(name).process !== null,
    );
  await world.run(isUp, REST_MS_MAX);
  const needed = () => {
    const { containers = {}, volumes = {} } = laws.state() ?? {};
    const users = [
      ...Object.values(containers).map(({ node }) => node),
      ...Object.values(volumes).map(({ owner }) => owner),
    ];
    return users.some((node) => node !== null && lost.has(node));
  };
  if (lost.size === 0) return;
  if (!(await world.run(() => isIdle(laws) && !needed(), GO_ON_MS_MAX))) bringBack(installation);
};

const uncordon = async ({ objects, raw }: Site["store"], signal: AbortSignal): Promise<void> => {
  const keys = [...objects].map(([key]) => key).filter((key) => key.startsWith(CORDONS_PREFIX));
  if (keys.length > 0) await raw.delete(keys, signal);
};

const bringBack = (installation: Installation): void => {
  for (const name of installation.lost) installation.node(name).powerOn();
  installation.lost.clear();
};

/** When all is mended, a push to the other node must be deployed, and be served there. */
const probe = async ({ site, laws, pusher, writer, lost }: Installation): Promise<void> => {
  const { world } = site;
  const owner = Object.values(laws.state()?.volumes ?? {})[0]?.owner ?? NODES[0];
  const there = NODES.filter((name) => !lost.has(name as NodeId));
  const node = (there.find((name) => name !== owner) ?? there[0]) as NodeName;
  // Heartbeats of a node that was away must have been seen again, and drains that came late.
  await world.run(() => false, 60_000);
  await uncordon(site.store, new AbortController().signal);
  // Only now: a deploy may have ended meanwhile.
  const before = laws.state()?.history.at(-1)?.id;
  pusher.push({ node, behaviour: "good" });
  let servedAt: number | null = null;
  const isServed = (): boolean => {
    const now = laws.state();
    const isDone = isIdle(laws) && now?.history.at(-1)?.id !== before;
    if (isDone && now?.containers["web" as never]?.node === node)
      servedAt ??= writer.acknowledged.length;
    // Clients may be served a moment before the receipt is written.
    const hasReceipts = now?.history.every(({ archived }) => archived) === true;
    return hasReceipts && servedAt !== null && writer.acknowledged.length > servedAt;
  };
  if (await world.run(isServed, PROBE_MS_MAX)) return;
  const last = laws.state()?.history.at(-1);
  world.breach(`L1: with all mended a push is not served: ${last?.result}, ${last?.reason}`);
};
