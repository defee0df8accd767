/** A Docker host: its disk, its daemon, and the real agent on them, as often as it is started. */
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { waitHealthy } from "../../adapters/container-health.ts";
import { openFenceStore } from "../../adapters/fence-file.ts";
import { createKeyedLock } from "../../adapters/keyed-lock.ts";
import { unchanging } from "../../adapters/live-keys.ts";
import { type NodeDisk, openNodeDisk } from "../../adapters/node-disk.ts";
import { openProjectRecords } from "../../adapters/project-records.ts";
import { createBackoff } from "../../agent/backoff.ts";
import type { GateRegistry } from "../../agent/gate-registry.ts";
import type { AgentPorts } from "../../agent/reconcile-project.ts";
import { awaitSoleOwner } from "../../agent/refuse-clone.ts";
import { createNodeAgent } from "../../agent/run-node.ts";
import { CONTROL_QUEUE, nodeQueue } from "../../functions/messages.ts";
import type { VolumeEngine } from "../../functions/node-ports.ts";
import { RetryableError } from "../../volume/errors.ts";
import { hydrate } from "../../volume/hydrate/hydrate.ts";
import { measureDirectory } from "../../volume/measure.ts";
import type { ObjectStore } from "../../volume/object-store.ts";
import { translateSystemError } from "../../volume/system-errors.ts";
import { writeSnapshot } from "../../volume/write-snapshot.ts";
import { NodeId } from "../../workflows/ids.ts";
import { loseTheEnd } from "./application.ts";
import { createDaemon, type Daemon } from "./daemon.ts";
import { directoryUsers } from "./directory-users.ts";
import { dockerFor } from "./docker.ts";
import { simulatedFileSystem } from "./file-system.ts";
import { keepSimulatedLease } from "./lease.ts";
import { bound, createMachine, type Machine, type Process } from "./machine.ts";
import type { Site } from "./site.ts";

export interface Node {
  readonly id: NodeId;
  readonly root: string;
  readonly machine: Machine;
  readonly daemon: Daemon;
  /** The gates of the process that runs now. */
  gates: GateRegistry | null;
  isDiskFull: boolean;
  /** Its volumes may go on without it. */
  readonly hasLease: boolean;
  /** Of the agent that was started last. */
  agentPid: number;
  /** What watches over the node's lease, beside the agent; null: it is not up. */
  guard: AbortController | null;
  /** A process of the host's own that holds a directory open; null: none. */
  stranger: number | null;
  /** Power off, and on again later: everything that ran is gone, the disk stays. */
  reboot(downMs: number): void;
  /** On again now. */
  powerOn(): void;
}

export const createNode = (site: Site, name: string): Node => {
  const { world } = site;
  const root = join(site.directory, name);
  mkdirSync(root, { recursive: true });
  let boots = 1;
  const id = NodeId.parse(name);
  let pids = 0;
  const nextPid = (): number => {
    pids += 1;
    return pids;
  };
  const daemon = createDaemon(world, name, nextPid);
  const boot = (process: Process): void => {
    const control = new AbortController();
    const bootId = `${name}-${boots}`;
    node.agentPid = nextPid();
    const lease = keepSimulatedLease(site, node, process, bootId);
    const ports = { ...portsOf(site, node, process, bootId), lease };
    node.gates = ports.gates;
    const sleep = (ms: number, signal: AbortSignal) => process.sleep(ms, signal);
    const run = async (): Promise<void> => {
      await ports.docker.ping(control.signal);
      await awaitSoleOwner(ports, sleep, control.signal);
      await lease.begin(control.signal);
      const identity = { address: name, labels: {}, version: "0", cordoned: false };
      const agent = createNodeAgent(ports, identity, sleep, control.signal);
      site.queues.consume(nodeQueue(id), process, agent.handleBatch);
      await Promise.all([agent.run(control.signal), lease.run(control.signal)]);
    };
    run().catch((error: unknown) => {
      if (!process.isAlive()) return;
      world.note(`${name} gives up: ${String(error)}`);
      node.machine.kill(RESTART_MS);
    });
  };
  const node: Node = {
    id,
    root,
    daemon,
    gates: null,
    isDiskFull: false,
    hasLease: site.hasLeases,
    agentPid: 0,
    guard: null,
    stranger: null,
    machine: createMachine(world, name, boot, () => {
      node.gates = null;
    }),
    powerOn: () => {
      world.note(`${name} is back`);
      daemon.isDown = false;
      node.machine.powerOn();
    },
    reboot: (downMs) => {
      world.note(`${name} loses power`);
      boots += 1;
      daemon.isDown = true;
      daemon.endAll();
      node.guard?.abort(new Error("the machine is off"));
      node.guard = null;
      node.machine.kill(downMs);
      world.after(downMs - 1, () => {
        daemon.isDown = false;
      });
    },
  };
  return node;
};

/** As a service manager starts a process again. */
const RESTART_MS = 5_000;

const portsOf = (
  site: Site,
  node: Node,
  process: Process,
  bootId: string,
): Omit<AgentPorts, "lease"> => {
  const { world, mutation } = site;
  const store = site.store.openFor(process);
  const nowMs = () => process.nowMs();
  const pause = (maxMs: number, signal: AbortSignal) =>
    process.sleep(maxMs * world.random.next(), signal);
  const newUuid = () => world.random.uuid();
  const docker = dockerFor(process, node.daemon, mutation);
  const clock = { nowMs, monotonicMs: world.nowMs, sleep: process.sleep };
  const fences = openFenceStore(node.root);
  return {
    node: node.id,
    bootId,
    store,
    records: openProjectRecords({ store, nowMs, newUuid, pause }),
    disk: diskOf(site, node, process),
    fences:
      mutation === "late-start-finds-its-directory"
        ? { read: async () => NO_FENCES, raise: async () => NO_FENCES }
        : bound(process, "fence", fences, {}),
    docker,
    processesUsing: async (directory) => {
      const isBlind = mutation === "seal-before-stop";
      return directoryUsers(
        directory,
        node.stranger,
        isBlind ? [] : node.daemon.containers.values(),
      );
    },
    processesGone: async (name, signal) => {
      const isRunning = () => node.daemon.containers.get(name)?.state === "running";
      if (!isRunning()) return false;
      while (isRunning()) await process.sleep(PROCESS_LOOK_MS, signal);
      return true;
    },
    volumes: engineOf(site, node, process, store),
    gates: gatesOf(site, node, process),
    bindAddress: "0.0.0.0",
    restarts: createBackoff(nowMs),
    cacheBudgetBytes: null,
    locks: createKeyedLock(),
    copies: new Map(),
    warmings: new Map(),
    withoutSpace: new Map(),
    waitHealthy: (name, spec, timeoutMs, signal) =>
      waitHealthy({ engine: docker, clock, name, spec, timeoutMs, tryPort }, signal),
    wrappingKeys: unchanging([]),
    sendToControl: (message, signal) =>
      process.call(
        "send hint",
        () => {
          if (node.machine.isCut) throw new RetryableError("no answer", { code: "queue-away" });
          site.queues.send(CONTROL_QUEUE, message);
        },
        { signal },
      ),
    nowMs,
    newToken: () => world.random.uuid().slice(0, 8),
    log: site.log,
  };
};

/** Sooner than the daemon's own answer. */
const PROCESS_LOOK_MS = 20;

/** What runs serves at once; whether it is healthy is for its check to say. */
const tryPort = async (): Promise<string | null> => null;

const NO_FENCES = { containers: {}, volumes: {} };

const noSpace = (): Error =>
  Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });

const READS = {
  pathOf: true,
  stagingPath: true,
  inboxPath: true,
  listProjects: true,
  listVolumes: true,
  listCopies: true,
  readMarker: true,
  freeBytes: true,
} as const;

const diskOf = ({ mutation }: Site, node: Node, process: Process): NodeDisk => {
  const disk = openNodeDisk(node.root);
  const writes =
    <A extends unknown[]>(write: (...args: A) => Promise<void>) =>
    async (...args: A): Promise<void> => {
      if (node.isDiskFull) throw noSpace();
      return write(...args);
    };
  const move = async (from: string, to: string): Promise<void> => {
    if (mutation !== "late-start-finds-its-directory") return disk.moveCopy(from, to);
    if (from !== to) cpSync(from, to, { recursive: true });
  };
  const limited: NodeDisk = {
    ...disk,
    moveCopy: move,
    writeMarker: writes(disk.writeMarker),
    createEmpty: writes(disk.createEmpty),
    freeBytes: async () => (node.isDiskFull ? 0 : 2 ** 40),
  };
  return bound(process, "disk", limited, READS);
};

/** The real engine on the machine's disk. What it does to the store are boundaries of their own. */
const engineOf = (
  { mutation, onSeal }: Site,
  node: Node,
  process: Process,
  store: ObjectStore,
): VolumeEngine => {
  const fileSystem = simulatedFileSystem;
  const work = <T>(what: string, run: () => Promise<T>): Promise<T> =>
    process.call(
      what,
      () => {
        if (node.isDiskFull) throw translateSystemError(noSpace(), what);
        return run();
      },
      { isLocal: true },
    );
  return {
    writeSnapshot: (request, signal) =>
      work(`engine snapshot ${request.snapshotId}`, () => {
        onSeal(node, request);
        const { onProgress: _, ...rest } = request;
        return writeSnapshot({ ...rest, store, fileSystem }, signal);
      }),
    hydrate: (request, signal) =>
      work(`engine hydrate ${request.snapshotId}`, async () => {
        const { onProgress: _, ...rest } = request;
        const result = await hydrate({ ...rest, store, fileSystem }, signal);
        if (mutation === "hydrate-loses-the-end") loseTheEnd(request.directory);
        return result;
      }),
    measure: (request, signal) =>
      work("engine measure", () => measureDirectory({ ...request, fileSystem }, signal)),
  };
};

const gatesOf = ({ world }: Site, node: Node, process: Process): GateRegistry => {
  type Opened = Parameters<GateRegistry["open"]>[0];
  const opened = new Map<string, Opened>();
  const close = (project: string, container: string): void => {
    if (opened.delete(`${project}/${container}`)) world.note(`${node.id} gate close ${container}`);
  };
  return {
    close,
    cut: close,
    drain: async (project, container) => close(project, container),
    open: (gate) =>
      process.call(
        `gate open ${gate.container} e${gate.epoch}`,
        () => void opened.set(`${gate.project}/${gate.container}`, gate),
        { isLocal: true },
      ),
    list: (project) =>
      [...opened.values()].filter((g) => project === undefined || g.project === project),
    closeAll: async () => opened.clear(),
  };
};
