import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { cordonKey, heartbeatKey } from "../../adapters/store-keys.ts";
import { createMemoryObjectStore } from "../../volume/memory-object-store.ts";
import type { ObjectStore } from "../../volume/object-store.ts";
import { status, X, Y } from "../../workflows/deploy/given-deploys.ts";
import { encodeJson } from "../json-object.ts";
import { readNodes } from "./read-nodes.ts";

const signal = new AbortController().signal;
const nowMs = () => 1_000_000;

/** With ETags in its listings, as S3 has them, and what was read of it. */
const openS3Like = () => {
  const memory = createMemoryObjectStore();
  const gets: string[] = [];
  const store: ObjectStore = {
    ...memory,
    get: (key, getSignal) => {
      gets.push(key);
      return memory.get(key, getSignal);
    },
    list: async function* (prefix, listSignal) {
      for await (const found of memory.list(prefix, listSignal)) {
        const body = memory.objects.get(found.key) ?? Buffer.alloc(0);
        yield { ...found, etag: createHash("md5").update(body).digest("hex") };
      }
    },
  };
  return { store, gets };
};

test("of nodes that were read before, only those that have beaten since are read again", async () => {
  const { store, gets } = openS3Like();
  const beat = (node: typeof X, atMs: number) =>
    store.put(heartbeatKey(node), encodeJson({ ...status(node), atMs }), {}, signal);
  await beat(X, 1);
  await beat(Y, 1);
  expect((await readNodes({ store, nowMs }, signal)).map(({ node }) => node)).toEqual([X, Y]);
  expect(gets).toHaveLength(2);
  await beat(Y, 2);
  await store.put(cordonKey(X), new Uint8Array(), {}, signal);
  const again = await readNodes({ store, nowMs }, signal);
  expect(again.map(({ atMs, cordoned }) => [atMs, cordoned])).toEqual([
    [1, true],
    [2, false],
  ]);
  expect(gets.slice(2)).toEqual([heartbeatKey(Y)]);
  await store.delete([heartbeatKey(X)], signal);
  expect((await readNodes({ store, nowMs }, signal)).map(({ node }) => node)).toEqual([Y]);
});

test("a store without ETags is read anew each time", async () => {
  const store = createMemoryObjectStore();
  await store.put(heartbeatKey(X), encodeJson(status(X)), {}, signal);
  await readNodes({ store, nowMs }, signal);
  await store.put(heartbeatKey(X), encodeJson({ ...status(X), atMs: 9 }), {}, signal);
  expect(await readNodes({ store, nowMs }, signal)).toMatchObject([{ atMs: 9 }]);
});

test("34: when a node was heard is told by the store's clock, however wrong the node's own is", async () => {
  let storesMs = 5_000;
  const store = createMemoryObjectStore(() => storesMs);
  await store.put(heartbeatKey(X), encodeJson({ ...status(X), atMs: 86_400_000 }), {}, signal);
  storesMs += 7_000;
  expect(await readNodes({ store, nowMs }, signal)).toMatchObject([{ atMs: nowMs() - 7_000 }]);
});
