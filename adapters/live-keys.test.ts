/** Keys that are replaced under a running process, against a server that knows one key at a time. */
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GetQueueUrlCommand } from "@aws-sdk/client-sqs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLiveKeys, type KeyFiles, type KeyPair, openKeyFiles } from "./live-keys.ts";
import { openS3ObjectStore } from "./s3-object-store.ts";
import { connectSqs } from "./sqs.ts";

const OLD = { accessKeyId: "old", secretAccessKey: "old-secret" };
const NEW = { accessKeyId: "new", secretAccessKey: "new-secret" };
const signal = AbortSignal.timeout(60_000);
let directory: string;
let files: KeyFiles;
let server: Server;
let endpoint: string;
let good: string;
let asked: string[];

const write = ({ accessKeyId, secretAccessKey }: KeyPair): void => {
  writeFileSync(join(directory, "access"), `${accessKeyId}\n`);
  writeFileSync(join(directory, "secret"), `${secretAccessKey}\n`);
};

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "bagage-keys-"));
  files = { accessKeyId: join(directory, "access"), secretAccessKey: join(directory, "secret") };
  write(OLD);
  [good, asked] = ["old", []];
  server = createServer((request, response) => {
    const used = /Credential=([^/]+)\//.exec(request.headers.authorization ?? "")?.[1] ?? "";
    asked.push(used);
    const isQueue = request.headers["x-amz-target"] !== undefined;
    response.statusCode = used === good ? 200 : 403;
    if (used === good) response.end(isQueue ? '{"QueueUrl":"http://queue"}' : "");
    else if (isQueue) response.end('{"__type":"InvalidClientTokenId","message":"no"}');
    // An answer to HEAD has no body to say why in.
    else response.end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

const region = "us-east-1";
const openStore = () =>
  openS3ObjectStore({
    ...{ endpoints: [endpoint], region, bucket: "b", ...OLD },
    ...keysOption(openKeyFiles(OLD, files)),
  });
const keysOption = (keys: ReturnType<typeof openKeyFiles>) => (keys === undefined ? {} : { keys });

test("a store's key that was replaced in its files is used after a refusal, within the request", async () => {
  const store = openStore();
  await store.head("a", signal);
  write(NEW);
  good = "new";
  expect(await store.head("a", signal)).toEqual({ key: "a", bytes: 0 });
  expect(asked.at(-1)).toBe("new");
  store.close();
});

test("a key that is taken away before its files are replaced fails no request", async () => {
  const store = openStore();
  good = "new";
  const asking = store.head("a", signal);
  await expect.poll(() => asked.length).toBeGreaterThan(0);
  write(NEW);
  expect(await asking).toEqual({ key: "a", bytes: 0 });
  store.close();
});

test("a key that stays wrong is an error that says what to check", async () => {
  good = "nobody's";
  const store = openStore();
  await expect(store.head("a", signal)).rejects.toMatchObject({ code: "store-denied" });
  store.close();
});

test("a queue's key that was replaced in its files is used after a refusal, within the request", async () => {
  const client = connectSqs({ region, endpoint, credentials: OLD, keys: openKeyFiles(OLD, files) });
  const ask = () => client.send(new GetQueueUrlCommand({ QueueName: "q" }));
  await ask();
  write(NEW);
  good = "new";
  expect((await ask()).QueueUrl).toBe("http://queue");
  client.destroy();
});

test("keys are looked up again when they are old, and kept when that fails", async () => {
  let nowMs = 0;
  let found: KeyPair | null = NEW;
  const held: string[] = [];
  const keys = createLiveKeys({
    first: OLD,
    everyMs: 1_000,
    monotonicMs: () => nowMs,
    onKeys: ({ secretAccessKey }) => held.push(secretAccessKey),
    read: () => {
      if (found === null) throw new Error("unreadable");
      return found;
    },
  });
  nowMs = 999;
  expect(await keys.current()).toEqual(OLD);
  nowMs = 1_000;
  expect(await keys.current()).toEqual(NEW);
  found = null;
  nowMs = 2_000;
  expect(await keys.current()).toEqual(NEW);
  expect(held).toEqual(["old-secret", "new-secret"]);
});

test("keys that are in no file stay as they are", () => {
  expect(openKeyFiles(OLD, undefined)).toBeUndefined();
});
