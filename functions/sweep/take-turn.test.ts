import { expect, test } from "vitest";
import { SWEPT_KEY } from "../../adapters/store-keys.ts";
import { createMemoryObjectStore } from "../../volume/memory-object-store.ts";
import { createTurns } from "./take-turn.ts";

const EVERY_MS = 10_000;
const { signal } = new AbortController();

const given = () => {
  const store = createMemoryObjectStore();
  const process = (name: string) => {
    const clock = { nowMs: 1_000_000 };
    const ports = { store, newUuid: () => name, nowMs: () => clock.nowMs };
    return { clock, take: createTurns(ports, EVERY_MS) };
  };
  return { store, a: process("a"), b: process("b") };
};

test("of two processes one goes on sweeping, and the other takes over when it is late", async () => {
  const { a, b } = given();
  await a.take(signal);
  await b.take(signal);
  for (let period = 0; period < 3; period += 1) {
    expect(await a.take(signal)).toBe(true);
    b.clock.nowMs += EVERY_MS / 2;
    expect(await b.take(signal)).toBe(false);
    a.clock.nowMs += EVERY_MS;
    b.clock.nowMs += EVERY_MS / 2;
  }
  b.clock.nowMs += EVERY_MS / 2;
  expect(await b.take(signal)).toBe(true);
  a.clock.nowMs = b.clock.nowMs + 1;
  expect(await a.take(signal)).toBe(false);
});

test("each sweeps at its start, and takes the turn from nobody by that", async () => {
  const { a, b } = given();
  expect(await a.take(signal)).toBe(true);
  expect(await b.take(signal)).toBe(true);
  expect(await b.take(signal)).toBe(false);
  expect(await a.take(signal)).toBe(true);
});

test("a process whose clock is ahead, and died, keeps nobody from sweeping", async () => {
  const { a, b } = given();
  a.clock.nowMs += 3_600_000;
  expect(await a.take(signal)).toBe(true);
  for (let n = 0; n < 2; n += 1) expect(await b.take(signal)).toBe(true);
});

test("a note that can't be read is written anew", async () => {
  const { store, a, b } = given();
  await store.put(SWEPT_KEY, Buffer.from("{"), {}, signal);
  expect(await a.take(signal)).toBe(true);
  await b.take(signal);
  expect(await b.take(signal)).toBe(false);
});
