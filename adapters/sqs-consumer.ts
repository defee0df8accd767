/**
 * Feeds a Lambda handler from a queue, as Lambda's own poller does: batches in, a list of failed
 * messages out. What succeeded is deleted, what failed comes again after a growing delay, and what
 * is still worked on stays hidden. So a handler is the same here and there.
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
 */
import type { Message } from "@aws-sdk/client-sqs";
import type { SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda";
import { TerminalError } from "../volume/errors.ts";
import { systemClock } from "./clock.ts";
import { isForgotten, type Queue } from "./sqs.ts";
import { BATCH_MESSAGES_MAX } from "./sqs-batches.ts";
import { deleteMessages, hideMessages, receiveMessages } from "./sqs-messages.ts";

export interface ConsumerOptions {
  readonly queue: Queue;
  /**
   * Resolves with the messages that failed; rejecting means that all did. The signal aborts when a
   * stop has used up its grace.
   */
  readonly handleBatch: (
    event: SQSEvent,
    signal: AbortSignal,
    // biome-ignore lint/suspicious/noConfusingVoidType: Lambda handlers may return nothing.
  ) => Promise<SQSBatchResponse | void>;
  /** Batches at a time. */
  readonly concurrency: number;
  /** Messages in a batch; default 10. */
  readonly batchSize?: number;
  /** Long polling; default 20, the most that SQS allows. */
  readonly waitTimeS?: number;
  /** How long a stop lets running handlers work on; default 10 s. */
  readonly stopGraceMs?: number;
  /** Hears of what the consumer survives: calls that failed, handlers that threw. */
  readonly onError?: (error: unknown) => void;
}

const WAIT_TIME_S = 20;
const STOP_GRACE_MS = 10_000;
/** After the grace, for handlers to notice their signal and for the last calls to the queue. */
const LAST_CALLS_MS = 5_000;
/**
 * A broker need not notice that a long poll was given up, and then hides the next message for
 * nobody. So a stop waits this long for the answer of a poll under way.
 */
const STOP_POLL_MS = 2_000;
const POLL_BACK_OFF_MIN_MS = 200;
const POLL_BACK_OFF_MAX_MS = 20_000;
const RETRY_DELAY_MAX_S = 300;
/**
 * What is worked on is hidden for so long at most, and then again: a broker need not notice that a
 * poll was given up or its process killed, and hides for nobody what it hands to that one.
 */
const HIDDEN_MAX_S = 10;
/** Hidden again when a third of that has passed: two renewals may fail. */
const RENEWALS_PER_TIMEOUT = 3;

/**
 * Runs until the signal aborts; resolves when everything held is finished or handed back. Never
 * rejects: an unreachable queue is asked again, with back-off.
 */
export const consumeQueue = async (
  options: ConsumerOptions,
  signal: AbortSignal,
): Promise<void> => {
  const pollers = Array.from({ length: options.concurrency }, () => poll(options, signal));
  await Promise.all(pollers);
};

const poll = async (options: ConsumerOptions, signal: AbortSignal): Promise<void> => {
  const request = {
    messageCountMax: options.batchSize ?? BATCH_MESSAGES_MAX,
    waitTimeS: options.waitTimeS ?? WAIT_TIME_S,
    hiddenForS: hiddenForS(options.queue),
  };
  let backOffMs = POLL_BACK_OFF_MIN_MS;
  const polling = abortLater(signal, STOP_POLL_MS);
  while (!signal.aborted) {
    try {
      const messages = await receiveMessages(options.queue, request, polling);
      backOffMs = POLL_BACK_OFF_MIN_MS;
      if (messages.length === 0) continue;
      const records = messages.map(asRecord(options.queue));
      if (signal.aborted) await handBack(options.queue, records);
      else await handle(options, records, signal);
    } catch (error) {
      if (signal.aborted) return;
      options.onError?.(error);
      if (isForgotten(error)) await options.queue.makeAgain?.(signal).catch(() => {});
      await systemClock.sleep(backOffMs * (0.5 + Math.random()), signal).catch(() => {});
      backOffMs = Math.min(backOffMs * 2, POLL_BACK_OFF_MAX_MS);
    }
  }
};

/** Works one batch off. The queue is told the outcome even while stopping. */
const handle = async (
  options: ConsumerOptions,
  records: readonly SQSRecord[],
  stopping: AbortSignal,
): Promise<void> => {
  const { queue } = options;
  const work = new AbortController();
  const graceMs = options.stopGraceMs ?? STOP_GRACE_MS;
  const cut = async () => {
    await untilAborted(stopping, work.signal);
    await systemClock.sleep(graceMs, work.signal);
    work.abort(stopping.reason);
  };
  // Rejects when the work ends first.
  cut().catch(() => {});
  const renewing = renew(options, records, work.signal);
  const failed = await runHandler(options, records, work.signal);
  const wasCut = work.signal.aborted;
  work.abort();
  await renewing;
  const lastCalls = AbortSignal.timeout(LAST_CALLS_MS);
  const succeeded = records.filter(({ messageId }) => !failed.has(messageId));
  const again = records.filter(({ messageId }) => failed.has(messageId));
  const outcomes = await Promise.allSettled([
    deleteMessages(
      queue,
      succeeded.map(({ receiptHandle }) => receiptHandle),
      lastCalls,
    ),
    hideMessages(
      queue,
      again.map((record) => ({
        handle: record.receiptHandle,
        forS: wasCut ? 0 : retryDelayS(record),
      })),
      lastCalls,
    ),
  ]);
  for (const outcome of outcomes) {
    if (outcome.status === "rejected") options.onError?.(outcome.reason);
  }
};

/** The ids of the failed messages; a handler that does not end after the cut has failed with all. */
const runHandler = async (
  { handleBatch, onError }: ConsumerOptions,
  records: readonly SQSRecord[],
  signal: AbortSignal,
): Promise<ReadonlySet<string>> => {
  const all = new Set(records.map(({ messageId }) => messageId));
  const abandoned = untilAborted(signal)
    .then(() => untilAborted(AbortSignal.timeout(LAST_CALLS_MS)))
    .then(() => "abandoned" as const);
  try {
    // Inside, so that a handler that throws before its first await counts as one that rejects.
    const handled = (async () => handleBatch({ Records: [...records] }, signal))();
    const response = await Promise.race([handled, abandoned]);
    if (response === "abandoned") return all;
    const failed = new Set(
      response?.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier) ?? [],
    );
    // As in Lambda: an id that was not in the batch means that the answer can't be trusted.
    if ([...failed].every((id) => all.has(id))) return failed;
    throw new TerminalError("the handler names messages that it was not given", {
      code: "batch-response-invalid",
    });
  } catch (error) {
    onError?.(error);
    return all;
  }
};

/** Keeps the batch hidden while it is worked on, however long that takes. */
const renew = async (
  { queue, onError }: ConsumerOptions,
  records: readonly SQSRecord[],
  signal: AbortSignal,
): Promise<void> => {
  const forS = hiddenForS(queue);
  const everyMs = (forS * 1_000) / RENEWALS_PER_TIMEOUT;
  const held = records.map(({ receiptHandle }) => ({ handle: receiptHandle, forS }));
  while (!signal.aborted) {
    try {
      await systemClock.sleep(everyMs, signal);
      await hideMessages(queue, held, signal);
    } catch (error) {
      if (!signal.aborted) onError?.(error);
    }
  }
};

const hiddenForS = ({ visibilityTimeoutS }: Queue): number =>
  Math.min(visibilityTimeoutS, HIDDEN_MAX_S);

const handBack = (queue: Queue, records: readonly SQSRecord[]): Promise<void> =>
  hideMessages(
    queue,
    records.map(({ receiptHandle }) => ({ handle: receiptHandle, forS: 0 })),
    AbortSignal.timeout(LAST_CALLS_MS),
  );

/** A signal that aborts so long after the given one. */
const abortLater = (signal: AbortSignal, afterMs: number): AbortSignal => {
  const later = new AbortController();
  const start = () => setTimeout(() => later.abort(signal.reason), afterMs).unref();
  if (signal.aborted) start();
  else signal.addEventListener("abort", start, { once: true });
  return later.signal;
};

/** 1, 2, 4, … seconds by how often the message has come already. */
const retryDelayS = (record: SQSRecord): number => {
  const receives = Number(record.attributes.ApproximateReceiveCount) || 1;
  return Math.min(2 ** Math.min(receives - 1, 30), RETRY_DELAY_MAX_S);
};

/** Resolves at the abort; rejects when `unless` aborts first. */
const untilAborted = (signal: AbortSignal, unless?: AbortSignal): Promise<void> => {
  if (signal.aborted) return Promise.resolve();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const done = new AbortController();
  const once = { once: true, signal: done.signal };
  signal.addEventListener("abort", () => resolve(), once);
  unless?.addEventListener("abort", () => reject(unless.reason), once);
  return promise.finally(() => done.abort());
};

const asRecord =
  ({ arn, region }: Queue) =>
  (message: Message): SQSRecord => ({
    messageId: message.MessageId ?? "",
    receiptHandle: message.ReceiptHandle ?? "",
    body: message.Body ?? "",
    attributes: {
      ...message.Attributes,
      ApproximateReceiveCount: message.Attributes?.ApproximateReceiveCount ?? "1",
      SentTimestamp: message.Attributes?.SentTimestamp ?? "0",
      SenderId: message.Attributes?.SenderId ?? "",
      ApproximateFirstReceiveTimestamp: message.Attributes?.ApproximateFirstReceiveTimestamp ?? "0",
    },
    messageAttributes: Object.fromEntries(
      Object.entries(message.MessageAttributes ?? {}).map(([name, attribute]) => [
        name,
        {
          dataType: attribute.DataType ?? "String",
          ...(attribute.StringValue === undefined ? {} : { stringValue: attribute.StringValue }),
        },
      ]),
    ),
    md5OfBody: message.MD5OfBody ?? "",
    eventSource: "aws:sqs",
    eventSourceARN: arn,
    awsRegion: region,
  });
