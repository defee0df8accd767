/** A lease watched by a new process each time, as Lambda may start one for each look. */
import { beforeEach, expect, test } from "vitest";
import { leaseKey } from "../../adapters/store-keys.ts";
import { createMemoryObjectStore } from "../../volume/memory-object-store.ts";
import type { ObjectStore } from "../../volume/object-store.ts";
import { LeaseSession, NodeId } from "../../workflows/ids.ts";
import { expireAfterMs, type Lease } from "../../workflows/node/lease.ts";
import { encodeJson } from "../json-object.ts";
import { createLeaseWatch } from "./find-expired-leases.ts";
import { createStayingEyes } from "./stay-for-leases.ts";

const TTL_MS = 30_000;
const node = NodeId.parse("x");
const signal = new AbortController().signal;
let store: ObjectStore;
let nowMs: number;
/** Happens while a process waits. */
let meanwhile: () => Promise<unknown>;

beforeEach(() => {
  store = createMemoryObjectStore();
  nowMs = 0;
  meanwhile = async () => undefined;
});

const renew = (renewal: string, session = 1): Promise<unknown> => {
  const lease: Lease = {
    ...{ node, bootId: "b", renewal, ttlMs: TTL_MS, guards: ["shop/data"] },
    session: LeaseSession.parse(session),
  };
  return store.put(leaseKey(node), encodeJson(lease), {}, signal);
};

/** One look of a process that has never looked before; its clock began anywhere. */
const look = async (): Promise<{ readonly told: string[]; readonly stayedMs: number }> => {
  const startedAtMs = nowMs;
  const offsetMs = Math.floor(Math.random() * 1e9);
  const clock = {
    monotonicMs: () => nowMs + offsetMs,
    sleep: async (ms: number) => {
      nowMs += ms;
      await meanwhile();
    },
  };
  const watch = createLeaseWatch(clock.monotonicMs, createStayingEyes(clock));
  const told = await watch.look({ store }, [], signal);
  return {
    told: told.map(({ project, session }) => `${project} ${session}`),
    stayedMs: nowMs - startedAtMs,
  };
};

test("a node that renews between two looks is not waited for", async () => {
  await renew("a");
  expect(await look()).toEqual({ told: [], stayedMs: 0 });
  await renew("b");
  expect(await look()).toEqual({ told: [], stayedMs: 0 });
});

test("a silent node is watched by one process until its lease is over; others believe the verdict", async () => {
  await renew("a");
  await look();
  const { told, stayedMs } = await look();
  expect(told).toEqual(["shop 1"]);
  expect(stayedMs).toBeGreaterThanOrEqual(expireAfterMs(TTL_MS));
  expect(stayedMs).toBeLessThan(expireAfterMs(TTL_MS) + 5_000);
  expect(await look()).toEqual({ told: ["shop 1"], stayedMs: 0 });
});

test("a renewal ends the wait, and nothing is told", async () => {
  await renew("a");
  await look();
  meanwhile = async () => {
    if (nowMs >= TTL_MS) await renew("b");
  };
  const { told, stayedMs } = await look();
  expect(told).toEqual([]);
  expect(stayedMs).toBeLessThan(TTL_MS + 5_000);
});

test("a verdict is of one session and one renewal: the node's next session is watched anew", async () => {
  await renew("a");
  await look();
  await look();
  await renew("c", 2);
  expect(await look()).toEqual({ told: [], stayedMs: 0 });
});

test("a process that ends while it stays leaves no verdict behind", async () => {
  await renew("a");
  await look();
  meanwhile = () => Promise.reject(new Error("the function's time is over"));
  await expect(look()).rejects.toThrow("time is over");
  meanwhile = async () => undefined;
  expect((await look()).stayedMs).toBeGreaterThanOrEqual(expireAfterMs(TTL_MS));
});
