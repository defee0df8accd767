import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openS3ObjectStore, type S3ObjectStore } from "../../adapters/s3-object-store.ts";
import { attachOrStartLab } from "../../infra/lab/lab.ts";
import { AmbiguousError } from "../../volume/errors.ts";
import { describeObjectStore } from "./object-store-suite.ts";

const opened: S3ObjectStore[] = [];
const { signal } = new AbortController();
/** Objects that are created while a gateway dies. */
const CREATES = 200;

/** One store a gateway, so that races cross gateways, and one that knows them all. */
const openGateways = async (): Promise<S3ObjectStore[]> => {
  if (opened.length === 0) {
    const s3 = await gateways();
    const open = (endpoints: readonly string[]) => openS3ObjectStore({ ...s3, endpoints });
    opened.push(...s3.endpoints.map((endpoint) => open([endpoint])), open(s3.endpoints));
  }
  return opened;
};

const gateways = async () => {
  const { s3 } = await lab;
  if (s3 === undefined) throw new Error("the lab has no S3 gateways");
  return s3;
};

let lab: ReturnType<typeof attachOrStartLab>;
beforeAll(async () => {
  const parts = { engines: 0, gateways: 2, elasticmq: false };
  lab = attachOrStartLab(parts, () => undefined, signal);
  await lab;
}, 300_000);
afterAll(async () => {
  for (const store of opened) store.close();
  await (await lab).stop(signal);
});

describeObjectStore({ name: "Ceph RGW", open: openGateways });

test("a gateway that does not answer is passed over", async () => {
  const s3 = await gateways();
  const dead = "http://127.0.0.1:9";
  const store = openS3ObjectStore({ ...s3, endpoints: [dead, ...s3.endpoints] });
  const key = `contract/${randomUUID()}`;
  await store.put(key, Buffer.from("x"), {}, signal);
  expect(await store.head(key, signal)).toEqual({ key, bytes: 1 });
  await store.delete([key], signal);
  store.close();
});

test("7: a gateway killed in mid-traffic: all that was confirmed stands, and work goes on", {
  timeout: 240_000,
}, async () => {
  const { s3 } = await lab;
  if (s3 === undefined) throw new Error("the lab has no S3 gateways");
  const store = openS3ObjectStore(s3);
  const prefix = `contract/${randomUUID()}`;
  const confirmed = new Map<string, string>();
  let next = 0;
  /** As a record's writer does it: the same body, until the outcome is certain. */
  const create = async (): Promise<void> => {
    const key = `${prefix}/${String(next).padStart(4, "0")}`;
    next += 1;
    const body = randomUUID().repeat(500);
    for (;;) {
      try {
        await store.put(key, Buffer.from(body), { ifAbsent: true }, signal);
        break;
      } catch (error) {
        if (!(error instanceof AmbiguousError)) throw error;
      }
    }
    confirmed.set(key, body);
  };
  const work = async (): Promise<void> => {
    while (next < CREATES) await create();
  };
  const killing = async (): Promise<void> => {
    while (confirmed.size < CREATES / 4) await sleep(10);
    await s3.killGateway(0, signal);
  };
  try {
    await Promise.all([killing(), ...Array.from({ length: 8 }, work)]);
    for (const [key, body] of confirmed) {
      expect(Buffer.from((await store.get(key, signal)) ?? "").toString()).toBe(body);
    }
    expect(confirmed.size).toBeGreaterThanOrEqual(CREATES);
  } finally {
    await s3.startGateway(0, signal);
    await store.delete([...confirmed.keys()], signal);
    store.close();
  }
});

test("11: a quota that is used up is told from a denied access, with what to do", async () => {
  const { s3 } = await lab;
  if (s3 === undefined) throw new Error("the lab has no S3 gateways");
  const uid = `full-${randomUUID().slice(0, 8)}`;
  const keys = { accessKeyId: uid, secretAccessKey: randomUUID() };
  const { accessKeyId, secretAccessKey } = keys;
  const made = ["--access-key", accessKeyId, "--secret-key", secretAccessKey];
  await s3.radosgwAdmin(["user", "create", "--uid", uid, "--display-name", uid, ...made], signal);
  const scope = ["--quota-scope", "user", "--uid", uid];
  await s3.radosgwAdmin(["quota", "set", ...scope, "--max-size", "4096"], signal);
  await s3.radosgwAdmin(["quota", "enable", ...scope], signal);
  const { endpoint, region } = s3;
  const client = new S3Client({ endpoint, region, credentials: keys, forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: uid }));
  const store = openS3ObjectStore({ ...s3, ...keys, bucket: uid });
  await store.put("small", Buffer.from("x"), {}, signal);
  await expect(store.put("large", Buffer.alloc(1_000_000), {}, signal)).rejects.toMatchObject({
    name: "TerminalError",
    code: "store-full",
    hint: expect.stringContaining("bagage gc"),
  });
  await store.delete(["small"], signal);
  store.close();
  client.destroy();
  await s3.radosgwAdmin(["user", "rm", "--uid", uid, "--purge-data"], signal);
});

test("a wrong secret is refused for good, and named", async () => {
  const s3 = await gateways();
  const store = openS3ObjectStore({ ...s3, secretAccessKey: "wrong" });
  await expect(store.put("contract/x", Buffer.from("x"), {}, signal)).rejects.toMatchObject({
    name: "TerminalError",
  });
  store.close();
});
