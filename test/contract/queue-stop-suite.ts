/** A consumer that ends, by a stop or with its process, keeps no message from the others. */
import type { SQSClient } from "@aws-sdk/client-sqs";
import { expect, test } from "vitest";
import { sendMessage } from "../../adapters/sqs.ts";
import { consumeQueue } from "../../adapters/sqs-consumer.ts";
import { receiveMessages } from "../../adapters/sqs-messages.ts";
import { bodies, consumeUntil, isEmpty, open, signal } from "./consume-until.ts";

export const describeStops = (connect: () => SQSClient): void => {
  test("21: what a broker hands to a poll that was given up comes to another within seconds", async () => {
    const queue = await open(connect(), { visibilityTimeoutS: 600 });
    const stop = new AbortController();
    const handleBatch = async () => {};
    const givenUp = consumeQueue(
      { queue, handleBatch, concurrency: 1, waitTimeS: 20 },
      stop.signal,
    );
    stop.abort();
    await givenUp;
    await sendMessage(queue, "swallowed", signal);
    const got: unknown[] = [];
    await consumeUntil(
      queue,
      async (event) => {
        got.push(...bodies(event));
      },
      () => got.length > 0,
    );
    expect(got).toEqual(["swallowed"]);
  });

  test("a stop lets a handler finish within its grace", async () => {
    const queue = await open(connect());
    await sendMessage(queue, "last", signal);
    const stop = new AbortController();
    let isFinished = false;
    const consuming = consumeQueue(
      {
        queue,
        concurrency: 1,
        waitTimeS: 1,
        handleBatch: async () => {
          stop.abort();
          const endMs = performance.now() + 500;
          await expect.poll(() => performance.now() > endMs).toBe(true);
          isFinished = true;
        },
      },
      stop.signal,
    );
    await consuming;
    expect(isFinished).toBe(true);
    expect(await isEmpty(queue)).toBe(true);
  });

  test("a stop hands back at once what a handler does not finish in its grace", async () => {
    const queue = await open(connect(), { visibilityTimeoutS: 600 });
    await sendMessage(queue, "unfinished", signal);
    const stop = new AbortController();
    await consumeQueue(
      {
        queue,
        concurrency: 1,
        waitTimeS: 1,
        stopGraceMs: 100,
        handleBatch: (_event, cut) => {
          stop.abort();
          const { promise, reject } = Promise.withResolvers<void>();
          cut.addEventListener("abort", () => reject(cut.reason), { once: true });
          return promise;
        },
      },
      stop.signal,
    );
    const again = await receiveMessages(queue, { messageCountMax: 1, waitTimeS: 5 }, signal);
    expect(again.map(({ Body }) => Body)).toEqual(['"unfinished"']);
  });
};
