import { expect, test } from "vitest";
import { heartbeatKey } from "../adapters/store-keys.ts";
import { encodeJson } from "../functions/json-object.ts";
import { createMemoryObjectStore } from "../volume/memory-object-store.ts";
import { NodeId } from "../workflows/ids.ts";
import type { NodeStatus } from "../workflows/placement/node-status.ts";
import { awaitSoleOwner, refuseClone } from "./refuse-clone.ts";

const signal = new AbortController().signal;
const node = NodeId.parse("x");

const setUp = (bootId: string, atMs: number) => {
  const store = createMemoryObjectStore();
  let clockMs = 100_000;
  const status: NodeStatus = {
    node,
    bootId,
    version: "0",
    address: "a",
    atMs,
    labels: {},
    cpus: 1,
    memoryBytes: 1,
    memoryReservedBytes: 0,
    diskFreeBytes: 1,
    containerCount: 0,
    ports: [],
    warm: [],
    cordoned: false,
  };
  const beat = (at: number) =>
    store.put(heartbeatKey(node), encodeJson({ ...status, atMs: at }), {}, signal);
  const ports = { node, bootId: "this-boot", store, nowMs: () => clockMs };
  const sleep = async (ms: number) => {
    clockMs += ms;
  };
  return { ports, sleep, beat, sleptMs: () => clockMs - 100_000 };
};

test("a node without a heartbeat, and one restarted in the same boot, start at once", async () => {
  const none = setUp("b", 0);
  await awaitSoleOwner(none.ports, none.sleep, signal);
  const same = setUp("this-boot", 99_999);
  await same.beat(99_999);
  await awaitSoleOwner(same.ports, same.sleep, signal);
  expect(none.sleptMs() + same.sleptMs()).toBe(0);
});

test("a rebooted machine waits out its own last heartbeat", async () => {
  const { ports, sleep, beat, sleptMs } = setUp("boot-before", 95_000);
  await beat(95_000);
  await awaitSoleOwner(ports, sleep, signal);
  expect(sleptMs()).toBeGreaterThanOrEqual(25_000);
});

test("36: a cloned machine refuses to start while the node beats, and stops when it takes over", async () => {
  const { ports, beat } = setUp("boot-of-the-node", 95_000);
  await beat(95_000);
  const beating = async () => {
    await beat(96_000);
  };
  await expect(awaitSoleOwner(ports, beating, signal)).rejects.toMatchObject({
    code: "node-cloned",
  });
  await expect(refuseClone(ports, signal)).rejects.toMatchObject({ code: "node-cloned" });
});
