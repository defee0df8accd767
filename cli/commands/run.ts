/** The long-running commands: `serve` (control), `node` (a Docker host), `up` (both, and a queue). */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { CommandModule } from "yargs";
import { systemClock } from "../../adapters/clock.ts";
import { openDoor } from "../../adapters/door.ts";
import { startEmbeddedQueue } from "../../adapters/embedded-queue.ts";
import { acquireFileLock } from "../../adapters/file-lock.ts";
import { consumeQueue } from "../../adapters/sqs-consumer.ts";
import type { Traces } from "../../adapters/tracing/traces.ts";
import { type Connections, connectNode } from "../../agent/connect.ts";
import { ignoreAbort } from "../../agent/ignore-abort.ts";
import { awaitSoleOwner } from "../../agent/refuse-clone.ts";
import { runControl } from "../../agent/run-control.ts";
import { createNodeAgent } from "../../agent/run-node.ts";
import { type Config, readConfig } from "../../functions/config.ts";
import {
  type LambdaHttpServer,
  startLambdaHttpServer,
} from "../../functions/lambda-http-server.ts";
import { CONTROL_QUEUE, nodeQueue, PUBLISH_QUEUE } from "../../functions/messages.ts";
import { notFound, type OperationsPorts, withOperations } from "../../functions/operations.ts";
import { assertStoreFit, probeStore } from "../../volume/probe-store.ts";
import {
  checkSettingsOnHangUp,
  LOCAL_QUEUE_KEYS,
  LOCAL_QUEUE_PORT,
  untilSignalled,
  withLocalQueue,
} from "../context.ts";
import { openConnections, type ProcessConnections } from "../open-connections.ts";
import { VERSION } from "../version.ts";
import { runEdgePart } from "./edge.ts";

/** Steps of several projects at once; each is one message. */
const NODE_CONCURRENCY = 8;
const NODE_BATCH = 1;
const OPERATIONS_TIMEOUT_MS = 10_000;

const sleep = (ms: number, signal: AbortSignal) => systemClock.sleep(ms, signal);

/** A store that lies about conditional writes would break every promise: it is refused here. */
const refuseLyingStore = async ({ control }: Connections, signal: AbortSignal): Promise<void> => {
  const place = { store: control.store, prefix: "probe", probeId: randomUUID() };
  assertStoreFit(await probeStore(place, signal));
};

/** A collector that is away keeps nobody from ending. */
const flush = (traces: Traces | undefined): Promise<void> | undefined =>
  traces?.flush().catch(() => undefined);

const runControlPart = async (
  config: Config,
  connections: ProcessConnections,
  signal: AbortSignal,
) => {
  const { log, traces } = connections.control;
  await runControl(
    {
      ports: connections.control,
      spaces: connections.spaces,
      wrappingKeys: connections.wrappingKeys,
      metrics: connections.metrics,
      queue: await connections.openQueue(CONTROL_QUEUE, signal),
      publishQueue: await connections.openQueue(PUBLISH_QUEUE, signal),
      listen: config.listen,
      sweepMs: config.sweepMs,
      sleep,
      onListening: (url) => log.info({ url, version: VERSION }, "serve.listening"),
    },
    signal,
  ).finally(() => flush(traces));
};

const runNodePart = async (
  config: Config,
  connections: ProcessConnections,
  signal: AbortSignal,
) => {
  const lock = await acquireFileLock(join(config.node.root, "agent.lock"));
  const { log } = connections.control;
  const door = await openDoor(config.node.bind, config.node.doorPort).catch((error: unknown) => {
    // Published ports need no door: a node without one is still of use.
    log.error({ err: error }, "door.closed");
    return null;
  });
  const { metrics } = connections;
  const { ports, volumes, lease } = connectNode(config, connections, { door, metrics });
  const isStopping = () => signal.aborted;
  const answering = await answerOperators(config.node.listen, {
    store: ports.store,
    metrics,
    isStopping,
  });
  try {
    await ports.docker.ping(signal);
    await awaitSoleOwner(ports, sleep, signal);
    await lease.begin(signal);
    const { address, labels } = config.node;
    const identity = { address, doorPort: door?.port, labels, version: VERSION, cordoned: false };
    const agent = createNodeAgent(ports, identity, sleep, signal);
    const queue = await connections.openQueue(nodeQueue(config.node.id), signal);
    ports.log.info({ node: config.node.id, version: VERSION }, "node.started");
    await Promise.all([
      agent.run(signal),
      lease.run(signal).catch(ignoreAbort(signal)),
      consumeQueue(
        {
          queue,
          handleBatch: agent.handleBatch,
          concurrency: NODE_CONCURRENCY,
          batchSize: NODE_BATCH,
          onError: (error) => ports.log.error({ err: error }, "queue.unreachable"),
        },
        signal,
      ),
    ]);
  } finally {
    await ports.gates.closeAll();
    await answering?.close();
    await volumes.stop();
    await flush(ports.traces);
    await lock.release();
  }
};

/** Health, readiness and numbers of a process that answers nothing else. */
const answerOperators = async (
  listen: Config["node"]["listen"],
  ports: OperationsPorts,
): Promise<LambdaHttpServer | null> =>
  listen === null
    ? null
    : startLambdaHttpServer({
        ...listen,
        bodyBytesMax: 0,
        requestTimeoutMs: OPERATIONS_TIMEOUT_MS,
        closeGraceMs: 0,
        handler: withOperations(ports, notFound),
      });

export const serveCommand: CommandModule = {
  command: "serve",
  describe: "Run the control functions: webhooks, deploys, the sweep. As many as one likes",
  handler: async () => {
    const config = readConfig(process.env);
    const signal = untilSignalled();
    const connections = await openConnections(config, config.node.root);
    checkSettingsOnHangUp(connections.control.log);
    await refuseLyingStore(connections, signal);
    await runControlPart(config, connections, signal);
  },
};

/** The agent of this Docker host; `settings` win over the environment. */
export const runNode = async (settings: Readonly<Record<string, string>>): Promise<void> => {
  const config = readConfig({ ...process.env, ...settings });
  const connections = await openConnections(config, config.node.root);
  checkSettingsOnHangUp(connections.control.log);
  await runNodePart(config, connections, untilSignalled());
};

export const upCommand: CommandModule<object, { edge: boolean }> = {
  command: "up",
  describe: "Run everything on this machine in one process: a queue, the control, one node",
  builder: (yargs) =>
    yargs.option("edge", {
      type: "boolean",
      default: false,
      describe: "Serve names too, through the Caddy of this machine",
    }),
  handler: async (args) => {
    const config = withLocalQueue(readConfig(process.env));
    const signal = untilSignalled();
    const isLocal = config.sqs.credentials === LOCAL_QUEUE_KEYS;
    const queue = isLocal ? await startEmbeddedQueue({ port: LOCAL_QUEUE_PORT }) : null;
    try {
      const connections = await openConnections(config, config.node.root);
      await refuseLyingStore(connections, signal);
      await Promise.all([
        runControlPart(config, connections, signal),
        runNodePart(config, connections, signal),
        // Ports are open on this very machine already.
        ...(args.edge ? [runEdgePart(config, connections, { tcp: false }, signal)] : []),
      ]);
    } finally {
      await queue?.stop();
    }
  },
};
