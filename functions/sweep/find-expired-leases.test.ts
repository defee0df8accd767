/** Who is told that a node's lease is over, and how often. */
import { beforeEach, expect, test } from "vitest";
import { leaseKey } from "../../adapters/store-keys.ts";
import { createMemoryObjectStore } from "../../volume/memory-object-store.ts";
import type { ObjectStore } from "../../volume/object-store.ts";
import { LeaseSession, NodeId } from "../../workflows/ids.ts";
import { expireAfterMs, type Lease } from "../../workflows/node/lease.ts";
import { encodeJson } from "../json-object.ts";
import { createLeaseWatch } from "./find-expired-leases.ts";

const TTL_MS = 30_000;
const node = NodeId.parse("x");
const signal = new AbortController().signal;
let store: ObjectStore;
let nowMs: number;

beforeEach(() => {
  store = createMemoryObjectStore();
  nowMs = 0;
});

const write = (renewal: string, session = 1): Promise<unknown> => {
  const lease: Lease = {
    node,
    bootId: "b",
    session: LeaseSession.parse(session),
    renewal,
    ttlMs: TTL_MS,
    guards: ["shop/data"],
  };
  return store.put(leaseKey(node), encodeJson(lease), {}, signal);
};

test("guarded and open projects are told when a lease ends, ever more rarely while it stays so", async () => {
  await write("a");
  const watch = createLeaseWatch(() => nowMs);
  const told = async () =>
    (await watch.look({ store }, ["blog"], signal)).map(
      ({ project, session }) => `${project} ${session}`,
    );
  expect(await told()).toEqual([]);
  nowMs = expireAfterMs(TTL_MS);
  expect(await told()).toEqual(["blog 1", "shop 1"]);
  expect(await told()).toEqual(["blog 1"]);
  nowMs += 3_600_000;
  expect(await told()).toEqual(["blog 1", "shop 1"]);
  await write("b", 2);
  expect(await told()).toEqual([]);
});

test("a watcher that has just started believes nothing of what was before it", async () => {
  await write("a");
  nowMs = 10 * TTL_MS;
  const watch = createLeaseWatch(() => nowMs);
  expect(await watch.look({ store }, ["blog"], signal)).toEqual([]);
});
