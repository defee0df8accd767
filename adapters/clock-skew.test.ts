/** A store whose clock is another than this machine's. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openS3ObjectStore, type S3ObjectStore } from "./s3-object-store.ts";

const DAY_MS = 86_400_000;
/** https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html: what S3 tolerates. */
const SKEW_MAX_MS = 900_000;
const signal = AbortSignal.timeout(30_000);
let server: Server;
let store: S3ObjectStore;
let skewMs: number;

const signedAtMs = (header: string | undefined): number => {
  const [, date, time] = /^(\d{8})T(\d{6})Z$/.exec(header ?? "") ?? [];
  const parts = `${date?.replace(/(....)(..)(..)/, "$1-$2-$3")}T${time?.replace(/(..)(..)(..)/, "$1:$2:$3")}Z`;
  return Date.parse(parts);
};

beforeEach(async () => {
  server = createServer((request, response) => {
    const nowMs = Date.now() + skewMs;
    response.setHeader("date", new Date(nowMs).toUTCString());
    const header = request.headers["x-amz-date"];
    const offMs = Math.abs(signedAtMs(Array.isArray(header) ? header[0] : header) - nowMs);
    if (offMs > SKEW_MAX_MS) {
      response.statusCode = 403;
      response.end("<Error><Code>RequestTimeTooSkewed</Code></Error>");
    } else if (request.url?.includes("list-type=2") === true) {
      const modified = new Date(nowMs - 5_000).toISOString();
      const object = `<Contents><Key>k</Key><Size>1</Size><LastModified>${modified}</LastModified></Contents>`;
      response.end(`<ListBucketResult>${object}</ListBucketResult>`);
    } else response.end("body");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const keys = { accessKeyId: "a", secretAccessKey: "s" };
  const place = { endpoints: [`http://127.0.0.1:${port}`], region: "us-east-1", bucket: "b" };
  store = openS3ObjectStore({ ...place, ...keys });
});
afterEach(() => {
  store.close();
  server.closeAllConnections();
  server.close();
});

test.each([DAY_MS, -DAY_MS])(
  "34: requests go on by the store's clock when the two are %d ms apart",
  async (ms) => {
    skewMs = 0;
    await store.put("k", Buffer.from("x"), {}, signal);
    skewMs = ms;
    expect(Buffer.from((await store.get("k", signal)) ?? "").toString()).toBe("body");
    expect(await store.put("k", Buffer.from("x"), {}, signal)).toBe("stored");
  },
);

test("34: how old an object is is told by the store's clock", async () => {
  skewMs = -DAY_MS;
  const listed: (number | undefined)[] = [];
  for await (const { ageMs } of store.list("", signal)) listed.push(ageMs);
  expect(listed).toHaveLength(1);
  // The header has whole seconds.
  expect(listed[0]).toBeGreaterThanOrEqual(3_900);
  expect(listed[0]).toBeLessThan(6_000);
});
