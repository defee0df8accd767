/** The lease as its agent keeps it, on a clock and a store that the tests move and break. */
import pino from "pino";
import { beforeEach, expect, test } from "vitest";
import type { GuardOrders } from "../adapters/guard-file.ts";
import { leaseKey } from "../adapters/store-keys.ts";
import { encodeJson, readJsonObject } from "../functions/json-object.ts";
import { RetryableError } from "../volume/errors.ts";
import { createMemoryObjectStore } from "../volume/memory-object-store.ts";
import type { ObjectStore } from "../volume/object-store.ts";
import { LeaseSession, NodeId, ProjectId, VolumeName } from "../workflows/ids.ts";
import { guardAfterMs, Lease } from "../workflows/node/lease.ts";
import { createLeaseKeeper, type LeaseKeeper } from "./lease-keeper.ts";

const TTL_MS = 30_000;
const node = NodeId.parse("x");
const project = ProjectId.parse("shop");
const data = VolumeName.parse("data");
const signal = new AbortController().signal;

let nowMs: number;
let store: ObjectStore;
/** What a PUT waits for, or throws. */
let onPut: () => Promise<void>;
let written: GuardOrders | null;
let cut: string[];
let ended: string[];
let token: number;
let isGuarded: boolean;

beforeEach(() => {
  nowMs = 1_000_000;
  const memory = createMemoryObjectStore();
  onPut = async () => undefined;
  store = {
    ...memory,
    put: async (...call) => {
      await onPut();
      return memory.put(...call);
    },
  };
  written = null;
  cut = [];
  ended = [];
  token = 0;
  isGuarded = true;
});

const keeper = (bootId = "boot"): LeaseKeeper =>
  createLeaseKeeper({
    node,
    store,
    log: pino({ level: "silent" }),
    newToken: () => `t${++token}`,
    bootId,
    ttlMs: TTL_MS,
    lookEveryMs: 100,
    bootTimeMs: () => nowMs,
    sleep: (_ms, until) => new Promise((_, reject) => until.addEventListener("abort", reject)),
    agent: { pid: 1, startTicks: 1 },
    identify: (pid) => ({ pid, startTicks: 1 }),
    readOrders: async () => written,
    writeOrders: async (orders) => {
      written = orders;
    },
    ensureGuard: async () => {
      if (!isGuarded) throw new RetryableError("no guard", { code: "guard-missing" });
    },
    endContainers: async (containers) => {
      ended.push(...containers.map(({ name }) => name));
    },
    onLapse: (containers) => {
      cut.push(...containers.map(({ name }) => name));
    },
  });
const container = { project, name: "web", pid: 7, graceMs: 60_000 };
const object = () => readJsonObject(store, leaseKey(node), Lease, signal);
const begun = async (): Promise<LeaseKeeper> => {
  const lease = keeper();
  await lease.begin(signal);
  await lease.cover(project, [data], signal);
  await lease.watch(container, signal);
  return lease;
};
/** The loops of the agent, as far as they go without a sleep. */
const loop = async (lease: LeaseKeeper): Promise<void> => {
  const control = new AbortController();
  const running = lease.run(control.signal).catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, 10));
  control.abort();
  await running;
};

test("what is covered stands in the object before anybody relies on it", async () => {
  const lease = keeper();
  await lease.begin(signal);
  expect(lease.session()).toBeNull();
  expect(await lease.cover(project, [data], signal)).toBe(1);
  expect(await object()).toMatchObject({ session: 1, guards: ["shop/data"] });
  await lease.watch(container, signal);
  expect(written?.containers).toMatchObject([{ name: "web", graceMs: 5_000 }]);
});

test("the deadline counts from before the renewal was sent, however long its answer takes", async () => {
  onPut = async () => {
    nowMs += 4_000;
  };
  await begun();
  expect(written?.deadlineMs).toBe(1_000_000 + guardAfterMs(TTL_MS));
});

test("at the deadline the gates are cut at once, the containers end, and a new session begins", async () => {
  const lease = await begun();
  nowMs += guardAfterMs(TTL_MS);
  expect(lease.session()).toBeNull();
  await loop(lease);
  expect([cut, ended]).toEqual([["web"], ["web"]]);
  expect(lease.session()).toBe(2);
  expect(written).toMatchObject({ session: 2, containers: [], guards: ["shop/data"] });
});

test("without a guard nothing is renewed, and at the deadline the agent itself ends what it covered", async () => {
  const lease = await begun();
  const renewal = (await object())?.renewal;
  isGuarded = false;
  nowMs += 1_000;
  await loop(lease);
  expect((await object())?.renewal).toBe(renewal);
  expect([lease.session(), cut, ended]).toEqual([1, [], []]);
  nowMs += guardAfterMs(TTL_MS);
  await loop(lease);
  expect([cut, ended]).toEqual([["web"], ["web"]]);
});

test("a container whose guard leaves while it is started ends", async () => {
  const lease = keeper();
  await lease.begin(signal);
  await lease.cover(project, [data], signal);
  isGuarded = false;
  await expect(lease.watch(container, signal)).rejects.toMatchObject({ code: "guard-missing" });
  expect(ended).toEqual(["web"]);
});

test("a renewal whose answer comes after the deadline does not bring the session back", async () => {
  const lease = await begun();
  onPut = async () => {
    nowMs += guardAfterMs(TTL_MS);
  };
  nowMs += 1;
  await loop(lease);
  expect(lease.session()).toBeNull();
  onPut = async () => undefined;
  await loop(lease);
  expect(cut).toEqual(["web"]);
  expect(lease.session()).toBe(2);
});

test("while the store does not answer the lease holds to its deadline and no longer", async () => {
  const lease = await begun();
  onPut = async () => {
    throw new RetryableError("away", { code: "away" });
  };
  nowMs += guardAfterMs(TTL_MS) - 1;
  await loop(lease);
  expect([lease.session(), cut]).toEqual([1, []]);
  nowMs += 1;
  await loop(lease);
  expect([lease.session(), cut, ended]).toEqual([null, ["web"], ["web"]]);
  await expect(lease.cover(project, [data], signal)).rejects.toThrow("away");
});

test("an agent that starts again in time goes on with its session, or else begins another", async () => {
  await begun();
  const soon = keeper();
  nowMs += guardAfterMs(TTL_MS) - 1;
  await soon.begin(signal);
  expect(soon.session()).toBe(1);
  const late = keeper();
  nowMs += 1;
  await late.begin(signal);
  await loop(late);
  expect([late.session(), ended]).toEqual([2, ["web"]]);
});

test("after a boot, or without its disk, a node never takes up an old session", async () => {
  await begun();
  const rebooted = keeper("other boot");
  await rebooted.begin(signal);
  await loop(rebooted);
  expect(rebooted.session()).toBe(2);
  written = null;
  const lease = await object();
  const ahead = { ...lease, session: LeaseSession.parse(9) };
  await store.put(leaseKey(node), encodeJson(ahead), {}, signal);
  const bare = keeper("third boot");
  await bare.begin(signal);
  await loop(bare);
  expect(bare.session()).toBe(10);
});

test("a project that has nothing left to be taken over is no longer guarded", async () => {
  const lease = await begun();
  await lease.uncover(project);
  expect(written).toMatchObject({ guards: [], containers: [] });
});

// It waited for the renewal; the session ran out meanwhile, and nobody had the container in his orders.
test("what is started while a renewal hangs is guarded at once", async () => {
  const lease = await begun();
  const answer = Promise.withResolvers<void>();
  onPut = () => answer.promise;
  const control = new AbortController();
  const running = lease.run(control.signal).catch(() => undefined);
  await lease.watch({ ...container, name: "side", pid: 8 }, signal);
  expect(written?.containers.map(({ name }) => name)).toEqual(["web", "side"]);
  answer.resolve();
  control.abort();
  await running;
});

test("what is started as the session runs out ends at once", async () => {
  const lease = await begun();
  nowMs += guardAfterMs(TTL_MS);
  await expect(lease.watch({ ...container, name: "side", pid: 8 }, signal)).rejects.toThrow(
    "is not held",
  );
  expect(ended).toEqual(["side"]);
});
