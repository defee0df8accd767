import { expect, test } from "vitest";
import { createMemoryObjectStore } from "./memory-object-store.ts";
import type { ObjectStore } from "./object-store.ts";
import { assertStoreFit, probeStore } from "./probe-store.ts";

const { signal } = new AbortController();

const failedChecks = async (store: ObjectStore): Promise<string[]> => {
  const checks = await probeStore({ store, prefix: "projects/p", probeId: "1" }, signal);
  return checks.filter(({ outcome }) => outcome === "failed").map(({ name }) => name);
};

test("an honest store passes every check, and nothing of the probe stays", async () => {
  const store = createMemoryObjectStore();
  expect(await failedChecks(store)).toEqual([]);
  expect(store.objects.size).toBe(0);
});

test("5: a store that ignores If-None-Match is refused by name", async () => {
  const honest = createMemoryObjectStore();
  const liar: ObjectStore = {
    ...honest,
    put: (key, body, _options, s) => honest.put(key, body, { ifAbsent: false }, s),
  };
  const checks = await probeStore({ store: liar, prefix: "p", probeId: "1" }, signal);
  expect(() => assertStoreFit(checks)).toThrow(/If-None-Match is ignored/);
  expect(await failedChecks(liar)).toEqual(["creates once", "one winner of a race"]);
});

test("a store whose condition is checked before, not with, the write has several winners", async () => {
  const honest = createMemoryObjectStore();
  const racy: ObjectStore = {
    ...honest,
    put: async (key, body, options, s) => {
      if (options.ifAbsent === true && (await honest.head(key, s)) !== null) return "exists";
      await Promise.resolve();
      return honest.put(key, body, { ifAbsent: false }, s);
    },
  };
  expect(await failedChecks(racy)).toEqual(["one winner of a race"]);
});

test("10: a store that serves an old body is refused", async () => {
  const honest = createMemoryObjectStore();
  const seen = new Map<string, Uint8Array | null>();
  const stale: ObjectStore = {
    ...honest,
    get: async (key, s, range) => {
      if (range !== undefined) return honest.get(key, s, range);
      if (!seen.has(key)) seen.set(key, await honest.get(key, s));
      return seen.get(key) ?? null;
    },
  };
  expect(await failedChecks(stale)).toEqual(["reads what was written"]);
});

test("10: a store that answers a range with more than was asked is refused", async () => {
  const honest = createMemoryObjectStore();
  const whole: ObjectStore = { ...honest, get: (key, s) => honest.get(key, s) };
  expect(await failedChecks(whole)).toEqual(["reads exact ranges"]);
});

test("a store that takes damaged bodies is refused", async () => {
  const honest = createMemoryObjectStore();
  const blind: ObjectStore = {
    ...honest,
    putWithDigest: async (key, body, _md5, s) => {
      await honest.put(key, body, { ifAbsent: false }, s);
    },
  };
  expect(await failedChecks(blind)).toEqual(["refuses a damaged body"]);
});

test("5: a versioned bucket is refused", async () => {
  const store: ObjectStore = { ...createMemoryObjectStore(), isVersioned: async () => true };
  expect(await failedChecks(store)).toEqual(["keeps no versions"]);
});
