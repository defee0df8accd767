/** Keys that are replaced under a running process, against a server that knows one key at a time. */
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GetQueueUrlCommand } from "@aws-sdk/client-sqs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openIamAccounts } from "./iam-accounts.ts";
import {
  createLive,
  type KeyFiles,
  type KeyPair,
  type LiveKeys,
  openKeyFiles,
} from "./live-keys.ts";
import { openRgwAdmin } from "./rgw-admin.ts";
import { openRgwTopics } from "./rgw-topics.ts";
import { openS3Bucket } from "./s3-bucket.ts";
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

/** What each service says, and in which form. */
const answersTo = ({ method, url = "", headers }: IncomingMessage): Answers => {
  if (headers["x-amz-target"] !== undefined) {
    return { good: '{"QueueUrl":"http://queue"}', refused: '{"__type":"InvalidClientTokenId"}' };
  }
  if (url.startsWith("/admin/")) {
    return { good: '{"keys":[],"swift_keys":[]}', refused: '{"Code":"InvalidAccessKeyId"}' };
  }
  if (headers.authorization?.includes("/iam/") === true) {
    return {
      good: "<ListAccessKeysResponse><ListAccessKeysResult/></ListAccessKeysResponse>",
      refused: "<ErrorResponse><Error><Code>InvalidClientTokenId</Code></Error></ErrorResponse>",
    };
  }
  const refused = "<Error><Code>SignatureDoesNotMatch</Code></Error>";
  // An answer to HEAD has no body to say why in.
  return { good: "<TopicArn>arn:t</TopicArn>", refused: method === "HEAD" ? "" : refused };
};

interface Answers {
  readonly good: string;
  readonly refused: string;
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "bagage-keys-"));
  files = { accessKeyId: join(directory, "access"), secretAccessKey: join(directory, "secret") };
  write(OLD);
  [good, asked] = ["old", []];
  server = createServer((request, response) => {
    const used = /Credential=([^/]+)\//.exec(request.headers.authorization ?? "")?.[1] ?? "";
    asked.push(used);
    const answers = answersTo(request);
    response.statusCode = used === good ? 200 : 403;
    response.end(used === good ? answers.good : answers.refused);
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

const clients: Readonly<Record<string, (keys: LiveKeys | undefined) => () => Promise<unknown>>> = {
  "the store": (keys) => {
    const store = openS3ObjectStore({
      endpoints: [endpoint],
      region,
      bucket: "b",
      ...OLD,
      liveKeys: keys,
    });
    return () => store.head("a", signal);
  },
  "a project's bucket": (keys) => {
    const bucket = openS3Bucket({ endpoint, region, bucket: "b", ...OLD, liveKeys: keys });
    return () => bucket.head("a", signal);
  },
  "the gateway's topics": (keys) => {
    const topics = openRgwTopics({ endpoint, region, ...OLD, liveKeys: keys });
    return () => topics.put("t", "http://push", signal);
  },
  "the gateway's users": (keys) => {
    const accounts = openRgwAdmin({ endpoints: [endpoint], region, ...OLD, liveKeys: keys });
    return () => accounts.listKeys("u", signal);
  },
  "AWS's users": (keys) => {
    const accounts = openIamAccounts({ endpoint, region, credentials: OLD, liveKeys: keys });
    return () => accounts.listKeys("u", signal);
  },
  "a queue": (keys) => {
    const client = connectSqs({ region, endpoint, credentials: OLD, liveKeys: keys });
    return () => client.send(new GetQueueUrlCommand({ QueueName: "q" }));
  },
};

describe.each(Object.entries(clients))("%s", (_name, connect) => {
  test("a key that was replaced in its files is used after a refusal, within the request", async () => {
    const ask = connect(openKeyFiles(OLD, files));
    await ask();
    write(NEW);
    good = "new";
    await ask();
    expect(asked).toContain("old");
    expect(asked.at(-1)).toBe("new");
  });

  test("a key that is taken away before its files are replaced fails no request", async () => {
    const ask = connect(openKeyFiles(OLD, files));
    good = "new";
    const asking = ask();
    await expect.poll(() => asked.length).toBeGreaterThan(0);
    write(NEW);
    await asking;
    expect(asked.at(-1)).toBe("new");
  });

  test("a key that stays wrong is an error that says what to check", async () => {
    good = "nobody's";
    const denied = connect(openKeyFiles(OLD, files))().catch((error: Error) => error);
    const { code = "", name = "" } = (await denied) as { code?: string; name?: string };
    expect(`${code} ${name}`).toMatch(/-denied|topics-refused|InvalidClientTokenId/);
  });
});

test("keys are looked up again when they are old, and kept when that fails", async () => {
  let nowMs = 0;
  let found: KeyPair | null = NEW;
  const held: string[] = [];
  const keys = createLive({
    first: OLD,
    everyMs: 1_000,
    monotonicMs: () => nowMs,
    onNew: ({ secretAccessKey }) => held.push(secretAccessKey),
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
