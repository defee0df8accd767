import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import pino from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { NodeDisk } from "../../adapters/node-disk.ts";
import type { S3Bucket } from "../../adapters/s3-bucket.ts";
import { createMemoryObjectStore } from "../../volume/memory-object-store.ts";
import { Epoch, ProjectId, VolumeName } from "../../workflows/ids.ts";
import { takeInbox } from "./take-inbox.ts";

const signal = new AbortController().signal;
const project = ProjectId.parse("p");
const volume = VolumeName.parse("v");
let objects: Map<string, { readonly text: string; readonly version: number }>;
let version: number;
let brokenKey: string | null;
let store: ReturnType<typeof createMemoryObjectStore>;
const scratches: string[] = [];

beforeEach(() => {
  objects = new Map();
  version = 0;
  brokenKey = null;
  store = createMemoryObjectStore();
});
afterEach(() => {
  for (const path of scratches.splice(0)) rmSync(path, { recursive: true, force: true });
});

const upload = (name: string, text: string): void => {
  version += 1;
  objects.set(`inbox/v/${name}`, { text, version });
};
const infoOf = (key: string) => {
  const { text = "", version = 0 } = objects.get(key) ?? {};
  return { key, bytes: text.length, etag: text, modifiedAtMs: version };
};
const never = () => Promise.reject(new Error("not a call of the inbox"));
const bucket: { -readonly [K in keyof S3Bucket]: S3Bucket[K] } = {
  name: "b",
  create: never,
  setPolicy: never,
  setNotification: never,
  put: never,
  putParts: never,
  get: never,
  close: () => undefined,
  head: async (key) => (objects.has(key) ? infoOf(key) : null),
  open: async (key) => {
    if (key === brokenKey) throw new Error("connection lost");
    return { body: Readable.from([Buffer.from(objects.get(key)?.text ?? "")]), metadata: {} };
  },
  list: async function* (prefix) {
    for (const key of [...objects.keys()].sort()) if (key.startsWith(prefix)) yield infoOf(key);
  },
  delete: async (keys) => {
    for (const key of keys) objects.delete(key);
  },
};

const newDirectory = (): string => {
  const path = mkdtempSync(join(tmpdir(), "bagage-inbox-"));
  scratches.push(path);
  return path;
};
const take = (directory: string, epoch: number, base: number | null) =>
  takeInbox(
    {
      store,
      log: pino({ level: "silent" }),
      disk: { freeBytes: async () => 2 ** 40 } as NodeDisk,
    },
    {
      project,
      volume,
      epoch: Epoch.parse(epoch),
      base: base === null ? null : Epoch.parse(base),
      directory,
      bucket,
    },
    signal,
  );

test("a file is taken once; its object goes when a snapshot has it", async () => {
  const directory = newDirectory();
  upload("a", "one");
  await take(directory, 1, null);
  expect(readFileSync(join(directory, "a"), "utf8")).toBe("one");
  expect([...objects.keys()]).toEqual(["inbox/v/a"]);
  writeFileSync(join(directory, "a"), "changed by the application");
  await take(directory, 2, 1);
  expect(readFileSync(join(directory, "a"), "utf8")).toBe("changed by the application");
  expect([...objects.keys()]).toEqual([]);
});

test("what is uploaded anew under the same name is taken again", async () => {
  const directory = newDirectory();
  upload("a", "one");
  await take(directory, 1, null);
  upload("a", "two");
  await take(directory, 2, 1);
  expect(readFileSync(join(directory, "a"), "utf8")).toBe("two");
  expect(objects.size).toBe(1);
});

test("a version that was rolled back took nothing: the next one takes it", async () => {
  upload("a", "one");
  await take(newDirectory(), 2, 1);
  const next = newDirectory();
  await take(next, 3, 1);
  expect(readdirSync(next)).toEqual(["a"]);
  expect(objects.size).toBe(1);
});

test("a deletion that a crash prevented is made up for by a later deploy, without a second taking", async () => {
  const directory = newDirectory();
  upload("a", "one");
  await take(directory, 1, null);
  const remove = bucket.delete;
  bucket.delete = () => Promise.reject(new Error("killed"));
  await take(directory, 2, 1);
  bucket.delete = remove;
  writeFileSync(join(directory, "a"), "changed by the application");
  await take(directory, 3, 2);
  expect(readFileSync(join(directory, "a"), "utf8")).toBe("changed by the application");
  expect(objects.size).toBe(0);
});

test("an inbox that breaks off fails no deploy, and what came is noted", async () => {
  const directory = newDirectory();
  upload("a", "one");
  upload("b", "two");
  brokenKey = "inbox/v/b";
  const taken = await take(directory, 1, null);
  expect(taken.objects.map(({ key }) => key)).toEqual(["inbox/v/a"]);
  brokenKey = null;
  writeFileSync(join(directory, "a"), "changed by the application");
  await take(directory, 2, 1);
  expect(readFileSync(join(directory, "a"), "utf8")).toBe("changed by the application");
  expect(readFileSync(join(directory, "b"), "utf8")).toBe("two");
});

test("a name that is no path within the volume stays, with the reason", async () => {
  const directory = newDirectory();
  upload("../out", "x");
  upload("sub/", "");
  const taken = await take(directory, 1, null);
  expect(taken.refused).toEqual([
    { key: "inbox/v/../out", reason: "its name is no path within the volume" },
  ]);
  expect(readdirSync(directory)).toEqual([]);
  expect(objects.size).toBe(2);
});
