/** What every SQS-speaking broker must do for the control plane; each test on queues of its own. */
import { randomUUID } from "node:crypto";
import { DeleteQueueCommand } from "@aws-sdk/client-sqs";
import type { SQSEvent } from "aws-lambda";
import { expect, test } from "vitest";
import {
  connectSqs,
  countMessages,
  deadLetterName,
  openQueue,
  type Queue,
  type SqsSettings,
  sendMessage,
  sendMessages,
} from "../../adapters/sqs.ts";
import { receiveMessages, redriveMessages } from "../../adapters/sqs-messages.ts";
import { bodies, consumeUntil, isEmpty, open, signal } from "./consume-until.ts";
import { describeStops } from "./queue-stop-suite.ts";

export const describeQueue = (settings: () => SqsSettings): void => {
  const connect = () => connectSqs(settings());

  describeStops(connect);

  test("opening is idempotent, and a missing queue is said to be missing", async () => {
    const client = connect();
    const queue = await open(client, { deadLetterQueue: { maxReceiveCount: 3 } });
    const again = await openQueue({ client, queue: queue.name }, signal);
    expect(again).toMatchObject({ arn: queue.arn, visibilityTimeoutS: 30 });
    const byUrl = await openQueue({ client, queue: queue.url }, signal);
    expect(byUrl).toMatchObject({ arn: queue.arn, name: queue.name });
    const dead = await openQueue({ client, queue: deadLetterName(queue.name) }, signal);
    expect(dead.arn).toBe(`${queue.arn}-dead`);
    await expect(
      openQueue({ client, queue: `none-${randomUUID()}` }, signal),
    ).rejects.toMatchObject({ name: "TerminalError", code: "queue-missing" });
  });

  test("many makers of one queue at once all get it", async () => {
    const name = `test-${randomUUID()}`;
    const opened = await Promise.all(
      Array.from({ length: 5 }, () =>
        open(connect(), { queue: name, deadLetterQueue: { maxReceiveCount: 2 } }),
      ),
    );
    expect(new Set(opened.map(({ arn }) => arn)).size).toBe(1);
  });

  test("what is sent arrives once each, in Lambda's shape, and is gone then", async () => {
    const queue = await open(connect());
    const sent = Array.from({ length: 25 }, (_, id) => ({ id, text: 'é "\n' }));
    await sendMessages(queue, sent.slice(1), signal);
    await sendMessage(queue, sent[0], signal);
    const events: SQSEvent[] = [];
    const errors = await consumeUntil(
      queue,
      async (event) => void events.push(event),
      async () => events.flatMap(bodies).length >= 25 && (await isEmpty(queue)),
    );
    // The brokers may repeat and reorder; these have no reason to repeat.
    const got = events.flatMap(bodies) as { id: number }[];
    expect(got.toSorted((a, b) => a.id - b.id)).toEqual(sent);
    expect(errors).toEqual([]);
    expect(events[0]?.Records[0]).toMatchObject({
      messageId: expect.stringMatching(/./),
      eventSource: "aws:sqs",
      eventSourceARN: queue.arn,
      awsRegion: "us-east-1",
      attributes: { ApproximateReceiveCount: "1" },
    });
  });

  test("20: one failure in the middle of a batch: only that message comes again", async () => {
    const queue = await open(connect());
    await sendMessages(queue, [0, 1, 2, 3, 4], signal);
    const counts = new Map<unknown, number>();
    await consumeUntil(
      queue,
      async (event) => {
        const failed = event.Records.filter(({ body }) => {
          const count = (counts.get(body) ?? 0) + 1;
          counts.set(body, count);
          return body === "2" && count === 1;
        });
        return {
          batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })),
        };
      },
      () => counts.get("2") === 2,
    );
    expect(Object.fromEntries(counts)).toEqual({ 0: 1, 1: 1, 2: 2, 3: 1, 4: 1 });
  });

  test("a handler that throws, or names a stranger, fails its whole batch", async () => {
    const queue = await open(connect());
    await sendMessages(queue, ["a", "b"], signal);
    let calls = 0;
    const seen = new Set<unknown>();
    const errors = await consumeUntil(
      queue,
      async (event) => {
        calls += 1;
        if (calls === 1) throw new Error("boom");
        if (calls === 2) return { batchItemFailures: [{ itemIdentifier: "nobody" }] };
        for (const body of bodies(event)) seen.add(body);
        return { batchItemFailures: [] };
      },
      () => seen.size === 2,
      { concurrency: 1 },
    );
    expect(errors).toContainEqual(expect.objectContaining({ message: "boom" }));
    expect(errors).toContainEqual(expect.objectContaining({ code: "batch-response-invalid" }));
  });

  test("18: a poison message ends in the dead-letter queue, others pass", async () => {
    const client = connect();
    const queue = await open(client, { deadLetterQueue: { maxReceiveCount: 2 } });
    const dead = await openQueue({ client, queue: deadLetterName(queue.name) }, signal);
    await sendMessages(queue, ["good", "poison", "fine"], signal);
    const done = new Set<unknown>();
    await consumeUntil(
      queue,
      async (event) => ({
        batchItemFailures: event.Records.filter(({ body }) => {
          if (body !== '"poison"') done.add(body);
          return body === '"poison"';
        }).map(({ messageId }) => ({ itemIdentifier: messageId })),
      }),
      async () => (await countMessages(dead, signal)).visible === 1,
    );
    expect([...done].toSorted()).toEqual(['"fine"', '"good"']);

    // Fault 19: what is redriven later comes as any other message.
    expect(await redriveMessages({ from: dead, to: queue, messageCountMax: 10 }, signal)).toBe(1);
    expect(await isEmpty(dead)).toBe(true);
    const redriven = await receiveMessages(queue, { messageCountMax: 10, waitTimeS: 5 }, signal);
    expect(redriven.map(({ Body }) => Body)).toEqual(['"poison"']);
  });

  test("21: a long handler keeps its message hidden from a second consumer", async () => {
    const queue = await open(connect(), { visibilityTimeoutS: 1 });
    await sendMessage(queue, "slow", signal);
    let calls = 0;
    let finished = 0;
    await consumeUntil(
      queue,
      async () => {
        calls += 1;
        // Three visibility timeouts of honest work.
        const endMs = performance.now() + 3_000;
        await expect.poll(() => performance.now() > endMs, { timeout: 10_000 }).toBe(true);
        finished += 1;
      },
      async () => finished === 1 && (await isEmpty(queue)),
    );
    expect(calls).toBe(1);
  });

  test("21: without renewal, as after a crash, the message comes to another", async () => {
    const queue = await open(connect(), { visibilityTimeoutS: 1 });
    await sendMessage(queue, "orphan", signal);
    const held = await receiveMessages(queue, { messageCountMax: 1, waitTimeS: 5 }, signal);
    expect(held).toHaveLength(1);
    let receives = "";
    await consumeUntil(
      queue,
      async (event) => {
        receives = event.Records[0]?.attributes.ApproximateReceiveCount ?? "";
      },
      () => receives !== "",
    );
    expect(receives).toBe("2");
  });

  test("a queue that its broker forgot is made again by who sends, and by who waits for messages", async () => {
    const client = connect();
    const [sending, waiting] = [await open(client), await open(client)];
    const forget = ({ url }: Queue) => client.send(new DeleteQueueCommand({ QueueUrl: url }));
    await forget(sending);
    await sendMessage(sending, "a", signal);
    expect(
      await receiveMessages(sending, { messageCountMax: 1, waitTimeS: 1 }, signal),
    ).toHaveLength(1);
    const got: unknown[] = [];
    const consuming = consumeUntil(
      waiting,
      async (event) => {
        got.push(...bodies(event));
      },
      () => got.includes("b"),
    );
    await forget(waiting);
    // By name, as another process would: nobody but the consumer may make it.
    await expect
      .poll(() => openQueue({ client, queue: waiting.name }, signal).catch(() => null), {
        timeout: 60_000,
      })
      .not.toBeNull();
    await sendMessage(await openQueue({ client, queue: waiting.name }, signal), "b", signal);
    await consuming;
  });

  test("a body of any text comes back as it was; too large a one is refused", async () => {
    const queue = await open(connect());
    const text = `${"x".repeat(200_000)} 🚀 \u2028 <&>`;
    await sendMessage(queue, text, signal);
    const got = await receiveMessages(queue, { messageCountMax: 1, waitTimeS: 5 }, signal);
    expect(JSON.parse(got[0]?.Body ?? "")).toBe(text);
    await expect(sendMessage(queue, "x".repeat(256 * 1024), signal)).rejects.toMatchObject({
      code: "message-too-large",
    });
  });
};
