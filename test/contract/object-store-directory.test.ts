import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openDirectoryObjectStore } from "../../adapters/directory-object-store.ts";
import { describeObjectStore } from "./object-store-suite.ts";

const directory = mkdtempSync(join(tmpdir(), "bagage-store-"));
afterAll(() => rmSync(directory, { recursive: true }));

describeObjectStore({
  name: "a directory",
  open: async () => [
    openDirectoryObjectStore({ directory }),
    openDirectoryObjectStore({ directory }),
  ],
});

const { signal } = new AbortController();

test("keys of any text are stored, listed in order, and lead nowhere else", async () => {
  const inner = join(directory, "inner");
  const store = openDirectoryObjectStore({ directory: join(inner, "store") });
  const keys = [
    "../up",
    "a",
    "a-b",
    "a//b",
    "a/b",
    "A",
    "é/ü",
    "x y",
    ".drafts",
    "%41",
    "=",
    "..",
    "n\nl",
  ];
  for (const key of keys) await store.put(key, Buffer.from(key), { ifAbsent: true }, signal);
  expect(readdirSync(inner)).toEqual(["store"]);
  const listed: string[] = [];
  for await (const { key } of store.list("", signal)) listed.push(key);
  expect(listed).toEqual([...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
  for (const key of keys) {
    expect(Buffer.from((await store.get(key, signal)) ?? "").toString()).toBe(key);
  }
});

test("a body in the making is no object", async () => {
  const store = openDirectoryObjectStore({ directory: join(directory, "drafts") });
  const stopped = new AbortController();
  const putting = store.put("k", Buffer.alloc(64 * 2 ** 20), {}, stopped.signal);
  stopped.abort();
  await expect(putting).rejects.toThrow();
  expect(await store.get("k", signal)).toBeNull();
});
