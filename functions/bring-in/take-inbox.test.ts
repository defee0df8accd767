import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import pino from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openNodeDisk } from "../../adapters/node-disk.ts";
import type { S3Bucket } from "../../adapters/s3-bucket.ts";
import { createMemoryObjectStore } from "../../volume/memory-object-store.ts";
import type { ObjectStore } from "../../volume/object-store.ts";
import { Epoch, ProjectId, VolumeName } from "../../workflows/ids.ts";
import type { ProjectState } from "../../workflows/record.ts";
import { Space } from "../spaces/space.ts";
import { deleteTaken } from "./delete-taken.ts";
import { retireInbox, stageInbox } from "./stage-inbox.ts";
import { carryNote, takeInbox } from "./take-inbox.ts";

const signal = new AbortController().signal;
const project = ProjectId.parse("p");
const volume = VolumeName.parse("v");
let objects: Map<string, { readonly text: string; readonly version: number }>;
let version: number;
let brokenKey: string | null;
let root: string;
let store: { -readonly [K in keyof ObjectStore]: ObjectStore[K] };
const scratches: string[] = [];

beforeEach(() => {
  objects = new Map();
  version = 0;
  brokenKey = null;
  store = createMemoryObjectStore();
  root = newDirectory();
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
const log = pino({ level: "silent" });
const node = () => ({ store, log, disk: openNodeDisk(root) });
const epochOf = (epoch: number | null): Epoch | null =>
  epoch === null ? null : Epoch.parse(epoch);

/** What is done while the container still runs. */
const stageFor = (running: number | null) =>
  stageInbox(
    node(),
    { project, volume, epoch: epochOf(running), bucket, onProgress: () => undefined },
    signal,
  );
/** What is done when it has stopped. */
const takeAt = async (directory: string, epoch: number, base: number | null) => {
  const place = { project, volume, epoch: Epoch.parse(epoch), base: epochOf(base) };
  const taken = await takeInbox(node(), { ...place, directory, bucket }, signal);
  await retireInbox(node().disk.inboxPath(project, volume));
  return taken;
};
const take = async (directory: string, epoch: number, base: number | null) => {
  await stageFor(base);
  return takeAt(directory, epoch, base);
};
/** What the control does after a deploy that ended with the volume at this epoch. */
const tidyAt = async (epoch: number): Promise<number> => {
  const space = { bucket: "b", user: "u", endpoint: "http://e", region: "r", keys: [] };
  const container = { accessKeyId: "a", secretAccessKey: "s" };
  const state = { project, volumes: { [volume]: { epoch } } } as never as ProjectState;
  return deleteTaken({ store }, state, Space.parse({ ...space, container }), signal, () => bucket);
};

test("a file is taken once; its object goes when a snapshot has it", async () => {
  const directory = newDirectory();
  upload("a", "one");
  await take(directory, 1, null);
  expect(readFileSync(join(directory, "a"), "utf8")).toBe("one");
  expect(await tidyAt(1)).toBe(0);
  writeFileSync(join(directory, "a"), "changed by the application");
  await take(directory, 2, 1);
  expect(readFileSync(join(directory, "a"), "utf8")).toBe("changed by the application");
  expect([...objects.keys()]).toEqual(["inbox/v/a"]);
  expect(await tidyAt(2)).toBe(1);
  expect([...objects.keys()]).toEqual([]);
});

test("while the container is stopped nothing is fetched: what came late is for the next deploy", async () => {
  const directory = newDirectory();
  upload("a", "one");
  await stageFor(null);
  upload("b", "late");
  const { open } = bucket;
  bucket.open = never;
  await takeAt(directory, 1, null);
  bucket.open = open;
  expect(readdirSync(directory)).toEqual(["a"]);
  await take(directory, 2, 1);
  expect(readFileSync(join(directory, "b"), "utf8")).toBe("late");
});

test("what was staged is kept for the next deploy, and dropped when it is wanted no more", async () => {
  upload("a", "one");
  upload("b", "two");
  await stageFor(null);
  upload("a", "three");
  objects.delete("inbox/v/b");
  let fetched = 0;
  const { open } = bucket;
  bucket.open = (key, within) => {
    fetched += 1;
    return open(key, within);
  };
  await stageFor(null);
  await stageFor(null);
  bucket.open = open;
  expect(fetched).toBe(1);
  expect(readdirSync(node().disk.inboxPath(project, volume))).toHaveLength(1);
  const directory = newDirectory();
  await takeAt(directory, 1, null);
  expect(readFileSync(join(directory, "a"), "utf8")).toBe("three");
});

test("a crash after the taking and before its note changes nothing when it is done again", async () => {
  const directory = newDirectory();
  upload("a", "one");
  await stageFor(null);
  const { put } = store;
  store.put = () => Promise.reject(new Error("killed"));
  await expect(takeAt(directory, 1, null)).rejects.toThrow("killed");
  store.put = put;
  const taken = await takeAt(directory, 1, null);
  expect(taken.objects.map(({ key }) => key)).toEqual(["inbox/v/a"]);
  expect(readdirSync(directory)).toEqual(["a"]);
});

test("an application that writes into a file it was given changes nothing that was staged", async () => {
  const directory = newDirectory();
  upload("a", "one");
  await take(directory, 1, null);
  writeFileSync(join(directory, "a"), "changed in place", { flag: "r+" });
  // Rolled back: the next version begins from data without it.
  const next = newDirectory();
  await take(next, 3, null);
  expect(readFileSync(join(next, "a"), "utf8")).toBe("one");
});

test("what is uploaded anew under the same name is taken again", async () => {
  const directory = newDirectory();
  upload("a", "one");
  await take(directory, 1, null);
  upload("a", "two");
  await take(directory, 2, 1);
  expect(readFileSync(join(directory, "a"), "utf8")).toBe("two");
  expect(await tidyAt(2)).toBe(0);
});

test("a version that was rolled back took nothing: the next one takes it", async () => {
  upload("a", "one");
  await take(newDirectory(), 2, 1);
  const next = newDirectory();
  await take(next, 3, 1);
  expect(readdirSync(next)).toEqual(["a"]);
  expect(objects.size).toBe(1);
});

test("what the old version has is not taken again after a deploy that came back to it", async () => {
  const directory = newDirectory();
  upload("a", "one");
  await take(directory, 1, null);
  writeFileSync(join(directory, "a"), "changed by the application");
  await take(newDirectory(), 2, 1);
  const returned = { project, volume, epoch: Epoch.parse(3), base: Epoch.parse(1) };
  await carryNote(node(), returned, signal);
  await take(directory, 4, 3);
  expect(readFileSync(join(directory, "a"), "utf8")).toBe("changed by the application");
  expect(await tidyAt(4)).toBe(1);
});

test("a deletion that a crash prevented is made up for by a later deploy, without a second taking", async () => {
  const directory = newDirectory();
  upload("a", "one");
  await take(directory, 1, null);
  await take(directory, 2, 1);
  writeFileSync(join(directory, "a"), "changed by the application");
  await take(directory, 3, 2);
  expect(readFileSync(join(directory, "a"), "utf8")).toBe("changed by the application");
  expect(await tidyAt(3)).toBe(1);
  expect(await tidyAt(3)).toBe(0);
});

test("an inbox that breaks off fails no deploy, and what came is taken", async () => {
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
