/**
 * The daemon of one Docker host. Takes steps from its queue, and on its own watches its containers,
 * its record and its disk: if every message is lost, it still does what the record says.
 */
import type { SQSRecord } from "aws-lambda";
import { nodeLabels, parseLabels } from "../functions/container-names.ts";
import { createHandler as createHydrateHandler } from "../functions/hydrate-volume/handler.ts";
import { createMeasureVolume } from "../functions/measure-volume/measure-volume.ts";
import { NodeMessage, STEP_FUNCTIONS, type StepMessage } from "../functions/messages.ts";
import { createHandler as createSnapshotHandler } from "../functions/snapshot-volume/handler.ts";
import { sqsBatch } from "../functions/sqs-batch.ts";
import { createHandler as createStartHandler } from "../functions/start-containers/handler.ts";
import { createHandler as createStopHandler } from "../functions/stop-containers/handler.ts";
import { traceRecord, traceStep } from "../functions/trace-ports.ts";
import { createWarmVolume } from "../functions/warm-volume/warm-volume.ts";
import { RetryableError, TerminalError } from "../volume/errors.ts";
import { stepKind } from "../workflows/deploy/steps.ts";
import { reachedPorts } from "../workflows/edge/routes.ts";
import type { ProjectId, Revision } from "../workflows/ids.ts";
import { assignNode } from "../workflows/node/assignment.ts";
import type { ProjectState } from "../workflows/record.ts";
import { HEARTBEAT_EVERY_MS, type NodeIdentity, sendHeartbeat } from "./heartbeat.ts";
import { ignoreAbort } from "./ignore-abort.ts";
import { keepCacheBudget } from "./keep-cache-budget.ts";
import { createSnapshotKeeper } from "./keep-snapshots.ts";
import { localContext, localSqsEvent } from "./local-context.ts";
import { type AgentPorts, reconcileProject } from "./reconcile-project.ts";
import { refuseClone } from "./refuse-clone.ts";
import { createBranchTeller } from "./tell-branches.ts";
import { createBranchTender } from "./tend-branches.ts";
import { createCacheTender } from "./tend-caches.ts";
import { createStandbyTender } from "./tend-standbys.ts";
import { createWatchList } from "./watch-list.ts";

/** A project in a deploy is looked at so soon, and then more rarely, should its messages be lost. */
const WATCH_EVERY_MS = 2_000;

export interface NodeAgent {
  /** A Lambda-shaped handler for the node's queue. */
  readonly handleBatch: ReturnType<typeof sqsBatch>;
  /** Runs until the signal aborts: start-up reconciliation, heartbeats, watching. */
  run(signal: AbortSignal): Promise<void>;
}

export const createNodeAgent = (
  ports: AgentPorts,
  identity: NodeIdentity,
  sleep: (ms: number, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): NodeAgent => {
  const perform = createStepRunner(ports, signal);
  const measure = createMeasureVolume(ports);
  const warm = createWarmVolume(ports, ports.cacheBudgetBytes);
  const standbys = createStandbyTender(ports);
  const watched = createWatchList();
  const caches = createCacheTender(ports, watched.touch);
  const branches = createBranchTeller(ports);
  const asked = createBranchTender(ports);
  const keeper = createSnapshotKeeper(ports, signal);
  const look = async (project: ProjectId, hinted?: Revision): Promise<void> => {
    const state = await reconcileProject(ports, { project, hinted }, signal);
    if (state === null) return;
    keeper.note(state);
    if (state.deploy === null) void caches.tend(state, signal);
    for (const { deployId, step } of assignNode(state, ports.node).steps) {
      // Not awaited: a step may take hours, and reports by itself.
      perform(stepMessage(project, deployId, step)).catch((error: unknown) =>
        ports.log.error({ project, deploy: deployId, step, err: error }, "step.retried"),
      );
    }
    const isWarm = standbys.tend(state, signal);
    const isTold = (await branches.tell(state, signal)) && (await asked.tend(state, signal));
    if (isWarm && isTold && isSettled(ports, state)) watched.drop(project);
    else watched.keep(project);
  };
  const lookSafely = (project: ProjectId): Promise<void> =>
    look(project).catch((error: unknown) => {
      watched.keep(project);
      if (!signal.aborted) ports.log.error({ project, err: error }, "project.unreachable");
    });
  const handleRecord = async (record: SQSRecord): Promise<void> => {
    const message = NodeMessage.parse(JSON.parse(record.body));
    if (message.type === "node.hint") {
      watched.touch(message.project);
      return traceRecord(ports.traces, "reconcile", record, () =>
        look(message.project, message.rev),
      );
    }
    if (message.type === "volume.measure") return measure(message, signal);
    if (message.type === "volume.warm") return warm(message, signal);
    // No look now: the record knows nothing of the result yet, and what it says next comes by itself.
    watched.touch(message.project);
    await perform(message, record);
  };
  /** False: the engine did not answer. */
  const touchAll = async (): Promise<boolean> => {
    try {
      for (const project of await findProjects(ports, signal)) watched.touch(project);
      return true;
    } catch (error) {
      if (!signal.aborted) ports.log.error({ err: error }, "projects.unknown");
      return false;
    }
  };
  let session = ports.lease.session();
  const watch = async (): Promise<void> => {
    while (!signal.aborted) {
      await sleep(WATCH_EVERY_MS, signal);
      const current = ports.lease.session();
      if (session !== current && (await touchAll())) session = current;
      await Promise.all(watched.takeDue().map(lookSafely));
    }
  };
  const watchContainers = async (): Promise<void> => {
    for await (const event of ports.docker.events(nodeLabels(ports.node), signal)) {
      const ours = parseLabels(event.labels);
      if (event.action !== "die" || ours === null) continue;
      watched.touch(ours.project);
      void lookSafely(ours.project);
    }
  };
  return {
    handleBatch: sqsBatch(handleRecord, (error) =>
      ports.log.error({ err: error }, "message.failed"),
    ),
    run: async () => {
      await ports.disk.removeLeftovers();
      const known = await findProjects(ports, signal);
      await Promise.all(known.map(lookSafely));
      const loops = [watch(), watchContainers(), keeper.run(sleep)];
      loops.push(beat(ports, identity, sleep, signal), keepCacheBudget(ports, sleep, signal));
      await Promise.all(loops.map((loop) => loop.catch(ignoreAbort(signal))));
    },
  };
};

const beat = async (
  ports: AgentPorts,
  identity: NodeIdentity,
  sleep: (ms: number, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> => {
  // Until a heartbeat of this boot stands, the one of the boot before is nobody else's.
  let hasBeaten = false;
  while (!signal.aborted) {
    if (hasBeaten) {
      await refuseClone(ports, signal).catch((error: unknown) => {
        if (error instanceof TerminalError && error.code === "node-cloned") throw error;
      });
    }
    try {
      await sendHeartbeat(ports, identity, signal);
      hasBeaten = true;
    } catch (error) {
      if (!signal.aborted) ports.log.error({ err: error }, "heartbeat.failed");
    }
    await sleep(HEARTBEAT_EVERY_MS, signal);
  }
};

/** Projects that left anything on this node: directories, or containers. */
const findProjects = async (ports: AgentPorts, signal: AbortSignal): Promise<ProjectId[]> => {
  const listed = await ports.docker.listContainers(nodeLabels(ports.node), signal);
  const running = listed.flatMap(({ labels }) => parseLabels(labels)?.project ?? []);
  return [...new Set([...(await ports.disk.listProjects()), ...running])];
};

/** Nothing to wait for: no deploy, and every container that should run does. */
const isSettled = (ports: AgentPorts, state: ProjectState): boolean => {
  if (state.deploy !== null) return false;
  const open = ports.gates.list(state.project);
  const session = ports.lease.session();
  return assignNode(state, ports.node).run.every(
    (order) =>
      order.leases.every((known) => known.session === session) &&
      (reachedPorts(order.spec).length === 0 ||
        open.some((gate) => gate.container === order.container && gate.epoch === order.epoch)),
  );
};

const stepMessage = (
  project: ProjectId,
  deployId: StepMessage["deployId"],
  step: string,
): StepMessage => {
  const kind = stepKind(step) ?? "prepare";
  return { type: STEP_FUNCTIONS[kind], version: 1, project, deployId, step };
};

/** One run of a step at a time, however often it is asked for. */
const createStepRunner = (ports: AgentPorts, signal: AbortSignal) => {
  const handlers = {
    "volume.snapshot": createSnapshotHandler(ports, signal),
    "volume.hydrate": createHydrateHandler(ports, signal),
    "containers.stop": createStopHandler(ports, signal),
    "containers.start": createStartHandler(ports, signal),
  };
  const invoke = async (message: StepMessage): Promise<void> => {
    const { batchItemFailures } = await handlers[message.type](
      localSqsEvent(message),
      localContext(message.type),
    );
    if (batchItemFailures.length > 0) {
      throw new RetryableError(`${message.step} did not come to its end`, {
        code: "step-unfinished",
      });
    }
  };
  const running = new Map<string, Promise<void>>();
  return (message: StepMessage, record: SQSRecord | null = null): Promise<void> => {
    const key = `${message.deployId} ${message.step}`;
    const known = running.get(key);
    if (known !== undefined) return known;
    const run = traceStep(ports, message, record, () => invoke(message)).finally(() =>
      running.delete(key),
    );
    running.set(key, run);
    return run;
  };
};
