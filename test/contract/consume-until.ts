/** What the suites of the brokers share: queues of their own, and a consumer that runs for as long as needed. */
import { randomUUID } from "node:crypto";
import type { SQSClient } from "@aws-sdk/client-sqs";
import type { SQSEvent } from "aws-lambda";
import { expect } from "vitest";
import { countMessages, openQueue, type Queue } from "../../adapters/sqs.ts";
import { type ConsumerOptions, consumeQueue } from "../../adapters/sqs-consumer.ts";

export const signal = AbortSignal.timeout(110_000);

export const open = (client: SQSClient, extra: Partial<Parameters<typeof openQueue>[0]> = {}) =>
  openQueue(
    { client, queue: `test-${randomUUID()}`, create: true, visibilityTimeoutS: 30, ...extra },
    signal,
  );

/** A consumer that runs until its condition holds, and then is stopped. */
export const consumeUntil = async (
  queue: Queue,
  handleBatch: ConsumerOptions["handleBatch"],
  isDone: () => boolean | Promise<boolean>,
  extra: Partial<ConsumerOptions> = {},
) => {
  const stop = new AbortController();
  const errors: unknown[] = [];
  const consuming = consumeQueue(
    { queue, handleBatch, concurrency: 2, waitTimeS: 1, onError: (e) => errors.push(e), ...extra },
    stop.signal,
  );
  await expect.poll(isDone, { timeout: 60_000, interval: 50 }).toBe(true);
  stop.abort();
  await consuming;
  return errors;
};

export const isEmpty = async (queue: Queue) => {
  const { visible, inFlight, delayed } = await countMessages(queue, signal);
  return visible + inFlight + delayed === 0;
};

export const bodies = (event: SQSEvent): unknown[] =>
  event.Records.map(({ body }) => JSON.parse(body));
