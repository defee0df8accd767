import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type EmbeddedQueue, startEmbeddedQueue } from "../../adapters/embedded-queue.ts";
import { connectSqs, openQueue, sendMessages } from "../../adapters/sqs.ts";
import { receiveMessages } from "../../adapters/sqs-messages.ts";
import { describeAttributes } from "./queue-attributes.ts";
import { describeQueue } from "./queue-suite.ts";

const signal = AbortSignal.timeout(110_000);
let server: EmbeddedQueue | null = null;

beforeAll(async () => {
  server = await startEmbeddedQueue({});
});
afterAll(() => server?.stop());

const settings = () => {
  if (server === null) throw new Error("not started");
  return server;
};
describeQueue(settings);
describeAttributes(settings);

test("queues and messages survive a restart, deleted ones stay deleted", async () => {
  const directory = await mkdtemp(join(tmpdir(), "embedded-queue-"));
  const first = await startEmbeddedQueue({ dataDirectory: directory });
  const queue = await openQueue(
    {
      client: connectSqs(first),
      queue: "kept",
      create: true,
      visibilityTimeoutS: 1,
      deadLetterQueue: { maxReceiveCount: 2 },
    },
    signal,
  );
  await sendMessages(queue, ["held", "waiting"], signal);
  await receiveMessages(queue, { messageCountMax: 1, waitTimeS: 1 }, signal);
  await first.stop();

  const second = await startEmbeddedQueue({ dataDirectory: directory });
  const reopened = await openQueue({ client: connectSqs(second), queue: "kept" }, signal);
  expect(reopened.visibilityTimeoutS).toBe(1);
  const found = new Set<unknown>();
  await expect
    .poll(
      async () => {
        const wanted = { messageCountMax: 10, waitTimeS: 1 };
        for (const { Body } of await receiveMessages(reopened, wanted, signal)) found.add(Body);
        return found.size;
      },
      { timeout: 20_000 },
    )
    .toBe(2);
  await second.stop();
  await rm(directory, { recursive: true });
});

test("it listens on loopback alone, and speaks nothing but SQS", async () => {
  const started = await startEmbeddedQueue({});
  const { port } = new URL(started.endpoint);
  // Had it taken the wildcard address, a second listener on another loopback address would fail.
  const neighbour = createServer();
  await new Promise<void>((resolve, reject) => {
    neighbour.once("error", reject);
    neighbour.listen(Number(port), "127.0.0.2", resolve);
  });
  neighbour.close();
  for (const path of ["/", "/bucket", "/health"]) {
    expect((await fetch(`${started.endpoint}${path}`, { method: "PUT" })).status).toBe(404);
  }
  await started.stop();
});

test("a taken port is named", async () => {
  const started = await startEmbeddedQueue({});
  const port = Number(new URL(started.endpoint).port);
  await expect(startEmbeddedQueue({ port })).rejects.toMatchObject({
    name: "TerminalError",
    code: "queue-port-taken",
  });
  await started.stop();
});
