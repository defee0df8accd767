/** Fail-over where each run of the timer is another process: the built sweep, started anew each time. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type EmbeddedQueue, startEmbeddedQueue } from "../../adapters/embedded-queue.ts";
import { openStore } from "../../adapters/open-store.ts";
import { connectSqs, openQueue, type Queue } from "../../adapters/sqs.ts";
import { receiveMessages } from "../../adapters/sqs-messages.ts";
import { leaseKey } from "../../adapters/store-keys.ts";
import { readConfig } from "../../functions/config.ts";
import { encodeJson } from "../../functions/json-object.ts";
import { CONTROL_QUEUE } from "../../functions/messages.ts";
import { buildBundles } from "../../infra/build.ts";
import { startLambda } from "../../infra/serverless/lambda-runtime.ts";
import { NodeId } from "../../workflows/ids.ts";
import { expireAfterMs } from "../../workflows/node/lease.ts";

const BUNDLES = fileURLToPath(new URL("../../.build/functions", import.meta.url));
const TTL_MS = 3_000;
const signal = AbortSignal.timeout(240_000);
const directory = mkdtempSync(join(tmpdir(), "bagage-silent-"));
let embedded: EmbeddedQueue;
let queue: Queue;
let environment: Record<string, string>;

beforeAll(async () => {
  await buildBundles(BUNDLES);
  embedded = await startEmbeddedQueue({});
  const client = connectSqs(embedded);
  queue = await openQueue({ client, queue: CONTROL_QUEUE, create: true }, signal);
  environment = {
    BAGAGE_STORE: `file:${join(directory, "store")}`,
    BAGAGE_SQS_ENDPOINT: embedded.endpoint,
    BAGAGE_SQS_REGION: embedded.region,
    BAGAGE_SQS_ACCESS_KEY: embedded.credentials.accessKeyId,
    BAGAGE_SQS_SECRET_KEY: embedded.credentials.secretAccessKey,
  };
}, 240_000);
afterAll(async () => {
  await embedded.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** The timer once, in a process that has never looked before. */
const sweep = async (): Promise<{ readonly payload: unknown; readonly ms: number }> => {
  const lambda = await startLambda({ taskRoot: BUNDLES, handler: "sweep.handler", environment });
  try {
    return await lambda.invoke({ source: "aws.events" });
  } finally {
    await lambda.stop();
  }
};

test("a silent node's lease is seen to its end by one run, and told by the next ones at once", async () => {
  const node = NodeId.parse("x");
  const lease = {
    node,
    bootId: "b",
    session: 1,
    renewal: "r",
    ttlMs: TTL_MS,
    guards: ["shop/data"],
  };
  const store = await openStore(readConfig(environment).store);
  await store.put(leaseKey(node), encodeJson(lease), {}, signal);
  expect((await sweep()).payload).toEqual({ hints: 0 });
  const stayed = await sweep();
  expect(stayed.payload).toEqual({ hints: 1 });
  expect(stayed.ms).toBeGreaterThanOrEqual(expireAfterMs(TTL_MS));
  const later = await sweep();
  expect(later.payload).toEqual({ hints: 1 });
  expect(later.ms).toBeLessThan(expireAfterMs(TTL_MS));
  const told = await receiveMessages(queue, { messageCountMax: 10, waitTimeS: 1 }, signal);
  expect(told.map(({ Body }) => JSON.parse(Body ?? ""))).toEqual(
    Array.from({ length: 2 }, () => ({
      ...{ type: "lease.expired", version: 1, project: "shop", node: "x", session: 1 },
    })),
  );
});
