import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openS3ObjectStore, type S3ObjectStore } from "../../adapters/s3-object-store.ts";
import { attachOrStartLab } from "../../infra/lab/lab.ts";
import { describeObjectStore } from "./object-store-suite.ts";

const opened: S3ObjectStore[] = [];
const { signal } = new AbortController();

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

test("a wrong secret is refused for good, and named", async () => {
  const s3 = await gateways();
  const store = openS3ObjectStore({ ...s3, secretAccessKey: "wrong" });
  await expect(store.put("contract/x", Buffer.from("x"), {}, signal)).rejects.toMatchObject({
    name: "TerminalError",
  });
  store.close();
});
