/** The control functions as a long-running process: the same handlers that run as Lambdas. */
import type { SQSEvent } from "aws-lambda";
import type { Metrics } from "../adapters/metrics.ts";
import type { Queue } from "../adapters/sqs.ts";
import { consumeQueue } from "../adapters/sqs-consumer.ts";
import { createHandler as createAdvanceHandler } from "../functions/advance-deploy/handler.ts";
import { API_PREFIX, createHandler as createApiHandler } from "../functions/api/handler.ts";
import type { ControlPorts } from "../functions/control-ports.ts";
import { startLambdaHttpServer } from "../functions/lambda-http-server.ts";
import { withOperations } from "../functions/operations.ts";
import type { LiveWrappingKeys } from "../functions/project-keys.ts";
import { createHandler as createPublishHandler } from "../functions/publish-volume/handler.ts";
import { createPushPorts } from "../functions/push-ports.ts";
import { createHandler as createPushHandler } from "../functions/receive-git-push/handler.ts";
import { createHandler as createObjectEventsHandler } from "../functions/receive-object-events/handler.ts";
import { OBJECT_EVENTS_PATH } from "../functions/receive-object-events/receive-object-events.ts";
import { expireKeys } from "../functions/spaces/manage-keys.ts";
import type { SpacePorts } from "../functions/spaces/space.ts";
import { createHandler as createSweepHandler } from "../functions/sweep/handler.ts";
import { createTurns } from "../functions/sweep/take-turn.ts";
import { traceRequest } from "../functions/trace-ports.ts";
import { localContext } from "./local-context.ts";

const CONCURRENCY = 4;
/** Each writes several objects at a time. */
const PUBLISH_CONCURRENCY = 2;
const BODY_BYTES_MAX = 25 * 2 ** 20;
const REQUEST_TIMEOUT_MS = 30_000;
const CLOSE_GRACE_MS = 10_000;

export interface ControlOptions {
  readonly ports: ControlPorts;
  readonly spaces: SpacePorts;
  readonly wrappingKeys: LiveWrappingKeys;
  readonly queue: Queue;
  readonly publishQueue: Queue;
  readonly metrics: Metrics;
  readonly listen: { readonly host: string; readonly port: number };
  readonly sweepMs: number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly onListening: (url: string) => void;
}

/** Runs until the signal aborts, then finishes or hands back what it holds. */
export const runControl = async (options: ControlOptions, signal: AbortSignal): Promise<void> => {
  const { ports, queue, listen } = options;
  const advance = createAdvanceHandler(ports, signal);
  const sweep = createSweepHandler(ports, signal);
  const receivePush = createPushHandler(createPushPorts(ports));
  const answerApi = createApiHandler({ ...ports, sleep: options.sleep });
  const receiveObjectEvents = createObjectEventsHandler(ports);
  const server = await startLambdaHttpServer({
    ...listen,
    bodyBytesMax: BODY_BYTES_MAX,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    closeGraceMs: CLOSE_GRACE_MS,
    handler: withOperations(
      { store: ports.store, metrics: options.metrics, isStopping: () => signal.aborted },
      (event, context) => {
        if (event.rawPath.startsWith(API_PREFIX)) {
          return traceRequest(ports.traces, "api", () => answerApi(event, context));
        }
        if (event.rawPath.startsWith(OBJECT_EVENTS_PATH))
          return receiveObjectEvents(event, context);
        return traceRequest(ports.traces, "receive-git-push", () => receivePush(event, context));
      },
    ),
  });
  options.onListening(server.url);
  const sweeping = async (): Promise<void> => {
    const say = (what: string) => (error: unknown) => {
      if (!signal.aborted) ports.log.error({ err: error }, what);
    };
    const takeTurn = createTurns(ports, options.sweepMs);
    while (!signal.aborted) {
      if (await takeTurn(signal).catch(say("sweep.failed"))) {
        await sweep({}, localContext("sweep")).catch(say("sweep.failed"));
        await expireKeys(options.spaces, signal).catch(say("keys.not-expired"));
      }
      await options.sleep(options.sweepMs, signal).catch(() => undefined);
    }
  };
  try {
    const onError = (error: unknown) => ports.log.error({ err: error }, "queue.unreachable");
    const consuming = consumeQueue(
      {
        queue,
        handleBatch: (event) => {
          noteLag(options, "control", event);
          return advance(event, localContext("advance-deploy"));
        },
        concurrency: CONCURRENCY,
        onError,
      },
      signal,
    );
    const publish = createPublishHandler(
      { ...ports, spaces: options.spaces, wrappingKeys: options.wrappingKeys },
      signal,
    );
    const publishing = consumeQueue(
      {
        queue: options.publishQueue,
        handleBatch: (event) => {
          noteLag(options, "publish", event);
          return publish(event, localContext("publish-volume"));
        },
        concurrency: PUBLISH_CONCURRENCY,
        batchSize: 1,
        onError,
      },
      signal,
    );
    await Promise.all([sweeping(), consuming, publishing]);
  } finally {
    await server.close();
  }
};

const noteLag = (
  { ports, metrics }: ControlOptions,
  queue: string,
  { Records }: SQSEvent,
): void => {
  for (const { attributes } of Records) {
    metrics.messageTaken(queue, ports.nowMs() - Number(attributes.SentTimestamp));
  }
};
