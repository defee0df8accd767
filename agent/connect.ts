/** Assembles what the long-running processes and the command line need from one configuration. */
import { randomBytes, randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Logger } from "pino";
import { bootTimeMs } from "../adapters/boot-time.ts";
import { systemClock } from "../adapters/clock.ts";
import { waitHealthy } from "../adapters/container-health.ts";
import { untilProcessesGone } from "../adapters/container-processes.ts";
import { connectDocker } from "../adapters/docker-engine.ts";
import type { Door } from "../adapters/door.ts";
import { endContainers } from "../adapters/end-containers.ts";
import { createEventSender } from "../adapters/event-sender.ts";
import { openFenceStore } from "../adapters/fence-file.ts";
import { createGitSource } from "../adapters/git-source.ts";
import { readGuardOrders, writeGuardOrders } from "../adapters/guard-file.ts";
import { createKeyedLock } from "../adapters/keyed-lock.ts";
import { openKeyFiles } from "../adapters/live-keys.ts";
import { meterStore } from "../adapters/meter-store.ts";
import type { Metrics } from "../adapters/metrics.ts";
import { openNodeDisk } from "../adapters/node-disk.ts";
import { processesUsing } from "../adapters/open-files.ts";
import { openStore } from "../adapters/open-store.ts";
import { identifyProcess, systemProcesses } from "../adapters/process-identity.ts";
import { openProjectRecords } from "../adapters/project-records.ts";
import { rememberSnapshots } from "../adapters/remember-snapshots.ts";
import { connectSqs, openQueue, type Queue, sendMessage } from "../adapters/sqs.ts";
import type { Traces } from "../adapters/tracing/traces.ts";
import type { Config } from "../functions/config.ts";
import { containerName } from "../functions/container-names.ts";
import type { ControlPorts } from "../functions/control-ports.ts";
import type { KnownSecrets } from "../functions/known-secrets.ts";
import { CONTROL_QUEUE, nameQueues } from "../functions/messages.ts";
import { type LiveWrappingKeys, openWrappingKeys } from "../functions/project-keys.ts";
import { createReportMemory } from "../functions/report-memory.ts";
import { connectSpaces, openSpaceKeys } from "../functions/spaces/connect-spaces.ts";
import type { SpacePorts } from "../functions/spaces/space.ts";
import { traceAttributes, traceControl } from "../functions/trace-ports.ts";
import { readBootId } from "../volume/boot-id.ts";
import { createBackoff } from "./backoff.ts";
import { createGateRegistry, type GateRegistry } from "./gate-registry.ts";
import { listCaches } from "./keep-cache-budget.ts";
import { createLeaseKeeper, type LeaseKeeper } from "./lease-keeper.ts";
import { meterVolumes } from "./meter-volumes.ts";
import type { AgentPorts } from "./reconcile-project.ts";
import { ensureGuard } from "./start-guard.ts";
import { traceNode } from "./trace-node.ts";
import { startVolumeThread, type VolumeThread } from "./volume-thread.ts";

const VISIBILITY_TIMEOUT_S = 60;
const MAX_RECEIVE_COUNT = 10;
const TOKEN_BYTES = 4;
const LEASE_LOOK_MS = 100;

export interface Connections {
  readonly control: ControlPorts;
  readonly spaces: SpacePorts;
  readonly wrappingKeys: LiveWrappingKeys;
  readonly openQueue: (name: string, signal: AbortSignal) => Promise<Queue>;
}

export interface ConnectOptions {
  readonly workDirectory: string;
  readonly log: Logger;
  /** For a process that is asked for its numbers. */
  readonly metrics?: Metrics;
  /** Told of keys that take others' place. */
  readonly secrets?: KnownSecrets;
  readonly traces?: Traces | undefined;
}

/** The store, the records on it, and queues by name, created when they are first used. */
export const connect = async (
  config: Config,
  { workDirectory, log, metrics, traces, secrets }: ConnectOptions,
): Promise<Connections> => {
  const onKeys = secrets?.addKeys;
  const opened = await openStore(config.store, { onKeys });
  const collectorStore =
    config.collector === null ? null : await openStore(config.collector, { onKeys });
  const metered = meterStore(opened, (call) => {
    metrics?.storeCalled(call);
    traces?.storeCalled(call);
  });
  const store = rememberSnapshots(metered);
  const nowMs = () => systemClock.nowMs();
  const chain = openProjectRecords({ store, nowMs, newUuid: randomUUID });
  const records = metrics?.meterRecords(chain) ?? chain;
  const { endpoint, region, credentials, queuePrefix } = config.sqs;
  const nameQueue = nameQueues(queuePrefix);
  const client = connectSqs({
    region,
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials !== null && {
      credentials,
      liveKeys: openKeyFiles(credentials, credentials.keyFiles, onKeys),
    }),
    ...(metrics !== undefined && { onCall: metrics.queueCalled }),
  });
  const queues = new Map<string, Promise<Queue>>();
  const open = (name: string, signal: AbortSignal): Promise<Queue> => {
    const known = queues.get(name);
    if (known !== undefined) return known;
    const opening = openQueue(
      {
        client,
        queue: nameQueue(name),
        create: true,
        visibilityTimeoutS: VISIBILITY_TIMEOUT_S,
        deadLetterQueue: { maxReceiveCount: MAX_RECEIVE_COUNT },
      },
      signal,
    );
    queues.set(name, opening);
    opening.catch(() => queues.delete(name));
    return opening;
  };
  const git = createGitSource({ workDirectory: join(workDirectory, "git"), policy: config.git });
  const control: ControlPorts = {
    store,
    ...(collectorStore !== null && { collectorStore }),
    records,
    git,
    events: createEventSender(config.git),
    nowMs,
    newUuid: randomUUID,
    log,
    send: async (name, message, signal) => {
      const attributes = traceAttributes(traces, message);
      await sendMessage(await open(name, signal), message, signal, attributes);
    },
  };
  return {
    openQueue: open,
    spaces: connectSpaces(config, { store, nowMs, log }, openSpaceKeys(config.spaces, onKeys)),
    wrappingKeys: openWrappingKeys(config, secrets?.addWrappingKeys),
    control: traces === undefined ? control : traceControl(control, traces),
  };
};

export const connectNode = (
  config: Config,
  { control, wrappingKeys }: Connections,
  { door, metrics }: { readonly door: Door | null; readonly metrics: Metrics },
): {
  readonly ports: AgentPorts;
  readonly volumes: VolumeThread;
  readonly lease: LeaseKeeper;
} => {
  const docker = connectDocker({ socketPath: config.node.dockerSocket });
  const { store, records, nowMs, log, traces } = control;
  const volumes = startVolumeThread(config.store, (call) => {
    metrics.storeCalled(call);
    traces?.storeCalled(call);
  });
  const gates = createGateRegistry(door);
  const newToken = () => randomBytes(TOKEN_BYTES).toString("hex");
  const lease = keepLease(config, { store, log, newToken }, gates);
  const ports: AgentPorts = {
    node: config.node.id,
    bootId: readBootId(),
    store,
    records,
    disk: openNodeDisk(config.node.root),
    fences: openFenceStore(config.node.root),
    docker,
    processesUsing,
    processesGone: (name, signal) =>
      untilProcessesGone({ engine: docker, clock: systemClock }, name, signal),
    volumes: meterVolumes(volumes, metrics),
    gates,
    lease,
    bindAddress: config.node.bind,
    restarts: createBackoff(nowMs),
    cacheBudgetBytes: config.node.cacheBudgetBytes,
    locks: createKeyedLock(),
    copies: new Map(),
    reports: createReportMemory(nowMs),
    withoutSpace: new Map(),
    warmings: new Map(),
    wrappingKeys,
    waitHealthy: (name, spec, timeoutMs, signal) =>
      waitHealthy({ engine: docker, clock: systemClock, name, spec, timeoutMs }, signal),
    sendToControl: (message, signal) => control.send(CONTROL_QUEUE, message, signal),
    nowMs,
    newToken,
    log,
  };
  const traced = traces === undefined ? ports : traceNode(ports, traces);
  metrics.watchCaches(async () =>
    (await listCaches(ports)).reduce((sum, { bytes }) => sum + bytes, 0),
  );
  return { ports: traced, volumes, lease };
};

const keepLease = (
  { node }: Config,
  ports: Pick<AgentPorts, "store" | "log" | "newToken">,
  gates: GateRegistry,
): LeaseKeeper => {
  const { root } = node;
  const agent = identifyProcess(process.pid);
  if (agent === undefined) throw new Error("this process is not in /proc");
  return createLeaseKeeper({
    ...ports,
    node: node.id,
    bootId: readBootId(),
    ttlMs: node.leaseMs,
    bootTimeMs,
    sleep: systemClock.sleep,
    lookEveryMs: LEASE_LOOK_MS,
    agent,
    identify: identifyProcess,
    readOrders: () => readGuardOrders(root),
    writeOrders: (orders) => writeGuardOrders(root, orders),
    ensureGuard: (signal) => ensureGuard({ root, startedBy: node.guard }, systemClock, signal),
    endContainers: (containers, signal) =>
      endContainers(containers, { clock: systemClock, processes: systemProcesses }, signal),
    onLapse: (containers) => {
      const names = new Set(containers.map(({ name }) => name));
      for (const { project, container, epoch } of gates.list()) {
        if (names.has(containerName(project, container, epoch))) gates.cut(project, container);
      }
    },
  });
};
