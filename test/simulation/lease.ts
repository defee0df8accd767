/** A node's lease: the real keeper in the agent and the real guard beside it, over simulated processes. */
import { endContainers } from "../../adapters/end-containers.ts";
import { readGuardOrders, writeGuardOrders } from "../../adapters/guard-file.ts";
import type { Processes } from "../../adapters/process-identity.ts";
import { runGuard } from "../../agent/guard.ts";
import { createLeaseKeeper, type LeaseKeeper } from "../../agent/lease-keeper.ts";
import { containerName } from "../../functions/container-names.ts";
import type { Process } from "./machine.ts";
import type { Node } from "./node.ts";
import type { Site } from "./site.ts";
import type { World } from "./world.ts";

export const LEASE_MS = 15_000;
/** Machines do not sleep here: ten times as often would find nothing more. */
const LOOK_EVERY_MS = 1_000;
const GUARD_STARTS_MS = 200;
/** As a service manager starts an agent again that its guard has ended. */
const RESTART_MS = 5_000;

const NO_LEASE: LeaseKeeper = {
  session: () => null,
  cover: async () => {
    throw new Error("no volume may go on without its node here");
  },
  watch: async () => undefined,
  uncover: async () => undefined,
  begin: async () => undefined,
  run: async () => undefined,
};

export const keepSimulatedLease = (
  site: Site,
  node: Node,
  process: Process,
  bootId: string,
): LeaseKeeper => {
  const { world } = site;
  if (!site.hasLeases) return NO_LEASE;
  const processes = processesOf(node);
  const onDisk = <T>(what: string, run: () => Promise<T>): Promise<T> =>
    process.call(what, run, { isLocal: true });
  return createLeaseKeeper({
    node: node.id,
    bootId,
    store: site.store.openFor(process),
    log: site.log,
    newToken: () => world.random.uuid().slice(0, 8),
    ttlMs: LEASE_MS,
    bootTimeMs: world.nowMs,
    sleep: process.sleep,
    lookEveryMs: LOOK_EVERY_MS,
    agent: identityOf(node.agentPid),
    identify: (pid) => {
      const identity = identityOf(pid);
      return processes.isAlive(identity) ? identity : undefined;
    },
    readOrders: () => onDisk("look at the orders", () => readGuardOrders(node.root)),
    writeOrders: (orders) => onDisk("guard orders", () => writeGuardOrders(node.root, orders)),
    ensureGuard: async (signal) => {
      if (node.guard !== null) return;
      await process.sleep(GUARD_STARTS_MS, signal);
      startGuard(site, node, bootId, processes);
    },
    endContainers: (containers, signal) => {
      const clock = { monotonicMs: world.nowMs, sleep: process.sleep };
      return endContainers(containers, { clock, processes }, signal);
    },
    onLapse: (containers) => {
      const names = new Set(containers.map(({ name }) => name));
      for (const { project, container, epoch } of node.gates?.list() ?? []) {
        if (names.has(containerName(project, container, epoch)))
          node.gates?.cut(project, container);
      }
    },
  });
};

/** A number is never given twice, so that it says all that a start time would. */
const identityOf = (pid: number) => ({ pid, startTicks: pid });

const processesOf = (node: Node): Processes => {
  const find = (pid: number) =>
    [...node.daemon.containers.values()].find((container) => container.pid === pid);
  const isAgent = (pid: number): boolean => pid === node.agentPid && node.machine.process !== null;
  return {
    isAlive: ({ pid }) => isAgent(pid) || find(pid) !== undefined,
    signal: ({ pid }, name) => {
      const container = find(pid);
      if (container !== undefined) {
        node.daemon.signal(container.request.name, name === "SIGKILL" ? "KILL" : "TERM");
      } else if (isAgent(pid)) node.machine.kill(RESTART_MS);
    },
  };
};

/** A process of its own: it goes on when the agent dies or stands still, and ends with the machine. */
const startGuard = (site: Site, node: Node, bootId: string, processes: Processes): void => {
  if (node.guard !== null || site.mutation === "guard-sleeps") return;
  const { world } = site;
  const control = new AbortController();
  node.guard = control;
  const clock = { monotonicMs: world.nowMs, sleep: sleepIn(world) };
  const ports = { root: node.root, bootId, bootTimeMs: world.nowMs, clock, processes };
  const say = (event: string, data: object): void =>
    world.note(`${node.id} ${event} ${JSON.stringify(data)}`);
  runGuard({ ...ports, say }, control.signal)
    .catch((error: unknown) => {
      if (!control.signal.aborted) world.breach(`the guard of ${node.id} fails: ${String(error)}`);
    })
    .finally(() => {
      if (node.guard === control) node.guard = null;
    });
};

const sleepIn =
  (world: World) =>
  (ms: number, signal: AbortSignal): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    signal.throwIfAborted();
    const cancel = world.after(ms, resolve);
    signal.addEventListener(
      "abort",
      () => {
        cancel();
        reject(signal.reason);
      },
      { once: true },
    );
    return promise;
  };
