/**
 * A process with any number of nodes: the real agent with the real functions, on a real disk, with a
 * Docker engine in memory and volumes of one small file. Run by fleet.ts, its settings in the
 * environment, as every process of an installation has them.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pLimit from "p-limit";
import { openFenceStore } from "../../adapters/fence-file.ts";
import { createKeyedLock } from "../../adapters/keyed-lock.ts";
import { linuxFileSystem } from "../../adapters/linux.ts";
import { unchanging } from "../../adapters/live-keys.ts";
import { createLogger } from "../../adapters/log.ts";
import { meterStore } from "../../adapters/meter-store.ts";
import { openNodeDisk } from "../../adapters/node-disk.ts";
import { openStore } from "../../adapters/open-store.ts";
import { openProjectRecords, type ProjectRecords } from "../../adapters/project-records.ts";
import { connectSqs, openQueue, sendMessage } from "../../adapters/sqs.ts";
import { consumeQueue } from "../../adapters/sqs-consumer.ts";
import { createBackoff } from "../../agent/backoff.ts";
import { createGateRegistry } from "../../agent/gate-registry.ts";
import type { AgentPorts } from "../../agent/reconcile-project.ts";
import { createNodeAgent } from "../../agent/run-node.ts";
import { readConfig } from "../../functions/config.ts";
import { CONTROL_QUEUE, nameQueues, nodeQueue } from "../../functions/messages.ts";
import type { VolumeEngine } from "../../functions/node-ports.ts";
import { createReportMemory } from "../../functions/report-memory.ts";
import { hydrate } from "../../volume/hydrate/hydrate.ts";
import { measureDirectory } from "../../volume/measure.ts";
import type { ObjectStore } from "../../volume/object-store.ts";
import { writeSnapshot } from "../../volume/write-snapshot.ts";
import { NodeId } from "../../workflows/ids.ts";
import { type Counts, count, type FleetMessage } from "./fleet-messages.ts";
import { createSimulatedDocker } from "./simulated-docker.ts";

/** As `bagage node` has them. */
const NODE_CONCURRENCY = 8;
const VISIBILITY_TIMEOUT_S = 60;

const config = readConfig(process.env);
const [root = "", ...names] = process.argv.slice(2);
const stop = new AbortController();
const { signal } = stop;
const nowMs = () => Date.now();
const log = createLogger({ level: "warn", name: "nodes" });

const tell = (message: FleetMessage): void => void process.send?.(message);
const counts: Record<"nodes" | "engine" | "queues", Counts> = { nodes: {}, engine: {}, queues: {} };

const { endpoint, region, credentials } = config.sqs;

const nameQueue = nameQueues(config.sqs.queuePrefix);

/**
 * One of each for each node, as if it were a process of its own. With one store for all of them
 * hundreds of requests waited for its 32 sockets, and heartbeats among them.
 */
const connectStore = async () => {
  const opened = await openStore(config.store);
  return {
    store: meterStore(opened, ({ operation }) => count(counts.nodes, operation)),
    engineStore: meterStore(opened, ({ operation }) => count(counts.engine, operation)),
  };
};

const connect = () =>
  connectSqs({
    region,
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials !== null && { credentials }),
    onCall: (action) => count(counts.queues, action),
  });

/** When the engine was at each project's volumes. */
const spans = new Map<string, { beganAtMs: number; endedAtMs: number }[]>();

const timed = async <T>(prefix: string, work: () => Promise<T>): Promise<T> => {
  const project = prefix.split("/")[1] ?? "";
  const beganAtMs = nowMs();
  try {
    return await work();
  } finally {
    spans.set(project, [...(spans.get(project) ?? []), { beganAtMs, endedAtMs: nowMs() }]);
  }
};

/** The time covered by any of them, once. */
const takeDataMs = (project: string): number => {
  let coveredUntilMs = 0;
  let sumMs = 0;
  const sorted = (spans.get(project) ?? []).sort((a, b) => a.beganAtMs - b.beganAtMs);
  for (const { beganAtMs, endedAtMs } of sorted) {
    sumMs += Math.max(0, endedAtMs - Math.max(beganAtMs, coveredUntilMs));
    coveredUntilMs = Math.max(coveredUntilMs, endedAtMs);
  }
  spans.delete(project);
  return sumMs;
};

/**
 * A real node's engine has a machine for itself. With a volume of one file it computes for a few
 * milliseconds and waits for the store for tens of them: with few turns those are measured. All at
 * once would wait for each other's threads.
 */
const turns = pLimit(16);

const engineOf = (engine: ObjectStore): VolumeEngine => ({
  writeSnapshot: ({ onProgress: _, ...request }, either) =>
    timed(request.prefix, () =>
      turns(() =>
        writeSnapshot({ ...request, store: engine, fileSystem: linuxFileSystem }, either),
      ),
    ),
  hydrate: ({ onProgress: _, ...request }, either) =>
    timed(request.prefix, () =>
      turns(() => hydrate({ ...request, store: engine, fileSystem: linuxFileSystem }, either)),
    ),
  measure: (request, either) =>
    measureDirectory({ ...request, fileSystem: linuxFileSystem }, either),
});

const told = new Set<string>();

/** Ends are seen where the nodes read the records anyway: to look for them would cost requests. */
const watched = (records: ProjectRecords): ProjectRecords => ({
  ...records,
  load: async (project, either, hinted) => {
    const loaded = await records.load(project, either, hinted);
    const last = loaded?.state.history.at(-1);
    if (last !== undefined && !told.has(last.id)) {
      told.add(last.id);
      const { id: deployId, result, endedAtMs } = last;
      tell({ kind: "ended", project, deployId, result, endedAtMs, dataMs: takeDataMs(project) });
    }
    return loaded;
  },
});

/** No volume here may be failed over. */
const NO_LEASE: AgentPorts["lease"] = {
  session: () => null,
  cover: () => Promise.reject(new Error("there is no lease here")),
  watch: async () => undefined,
  uncover: async () => undefined,
};

const runNode = async (name: string): Promise<void> => {
  const client = connect();
  const control = await openQueue(
    { client, queue: nameQueue(CONTROL_QUEUE), create: true },
    signal,
  );
  const { store, engineStore } = await connectStore();
  const node = NodeId.parse(name);
  const place = join(root, name);
  mkdirSync(place, { recursive: true });
  const ports: AgentPorts = {
    node,
    bootId: randomUUID(),
    store,
    records: watched(openProjectRecords({ store, nowMs, newUuid: randomUUID })),
    disk: openNodeDisk(place),
    fences: openFenceStore(place),
    docker: createSimulatedDocker(),
    processesUsing: async () => [],
    processesGone: async () => true,
    volumes: engineOf(engineStore),
    gates: createGateRegistry(null),
    lease: NO_LEASE,
    bindAddress: "127.0.0.1",
    restarts: createBackoff(nowMs),
    locks: createKeyedLock(),
    copies: new Map(),
    reports: createReportMemory(nowMs),
    withoutSpace: new Map(),
    warmings: new Map(),
    cacheBudgetBytes: null,
    wrappingKeys: unchanging([]),
    waitHealthy: async () => ({ healthy: true, atMs: nowMs() }),
    sendToControl: (message, either) => sendMessage(control, message, either),
    nowMs,
    newToken: () => randomBytes(4).toString("hex"),
    log,
  };
  const identity = { address: "127.0.0.1", labels: {}, version: "0", cordoned: false };
  const sleep = (ms: number, either: AbortSignal) => delay(ms, undefined, { signal: either });
  const agent = createNodeAgent(ports, identity, sleep, signal);
  const queue = await openQueue(
    {
      client,
      queue: nameQueue(nodeQueue(node)),
      create: true,
      visibilityTimeoutS: VISIBILITY_TIMEOUT_S,
    },
    signal,
  );
  const consuming = consumeQueue(
    {
      queue,
      handleBatch: agent.handleBatch,
      concurrency: NODE_CONCURRENCY,
      batchSize: 1,
      onError: (error) => log.error({ err: error }, "queue.unreachable"),
    },
    signal,
  );
  await Promise.all([agent.run(signal), consuming]);
};

process.on("message", () => tell({ kind: "counts", ...counts }));
process.once("SIGTERM", () => stop.abort(new Error("stopped")));
process.once("disconnect", () => stop.abort(new Error("the benchmark is gone")));

const running = names.map(runNode);
tell({ kind: "ready" });
await Promise.all(running).catch((error: unknown) => {
  if (!signal.aborted) throw error;
});
process.exit(0);
