import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import type { DoorAddress } from "../../adapters/enter-door.ts";
import { createLocator, type LocatorPorts } from "./locate.ts";

const X: DoorAddress = { address: "x", port: 1 };
const Y: DoorAddress = { address: "y", port: 1 };
const forever = new AbortController().signal;

const world = (more: Partial<LocatorPorts> = {}) => {
  const seen = { open: null as DoorAddress | null, reads: 0, errors: [] as unknown[] };
  const locator = createLocator({
    readPlaces: async () => {
      seen.reads += 1;
      return [X, Y];
    },
    knock: async (place) => {
      if (place !== seen.open) throw new Error("closed");
    },
    sleep: (ms, signal) => delay(ms, undefined, { signal }),
    nowMs: () => performance.now(),
    onError: (error) => seen.errors.push(error),
    ...more,
  });
  return { locator, seen };
};

test("whoever waits is led to the door that opens, and all share one search", async () => {
  const { locator, seen } = world();
  const waiting = Array.from({ length: 100 }, () => locator.locate(forever));
  await expect.poll(() => seen.reads).toBeGreaterThan(1);
  seen.open = Y;
  expect(new Set(await Promise.all(waiting))).toEqual(new Set([Y]));
  expect(seen.reads).toBeLessThan(100);
});

test("a door that was found is not sought again until it is forgotten", async () => {
  const { locator, seen } = world();
  seen.open = X;
  expect(await locator.locate(forever)).toBe(X);
  const { reads } = seen;
  expect(await locator.locate(forever)).toBe(X);
  expect(seen.reads).toBe(reads);
  seen.open = Y;
  locator.forget(Y);
  expect(await locator.locate(forever)).toBe(X);
  locator.forget(X);
  expect(await locator.locate(forever)).toBe(Y);
});

test("when the last one leaves the search ends, and who comes at that moment has one of his own", async () => {
  const { locator, seen } = world();
  const leaving = new AbortController();
  const left = locator.locate(leaving.signal);
  await expect.poll(() => seen.reads).toBe(1);
  leaving.abort(new Error("left"));
  await expect(left).rejects.toThrow("left");
  const coming = locator.locate(forever);
  seen.open = X;
  expect(await coming).toBe(X);
});

test("a node that does not answer keeps nobody from another's door", async () => {
  const { locator } = world({
    knock: async (place, signal) => {
      if (place === X) await delay(60_000, undefined, { signal });
    },
  });
  expect(await locator.locate(forever)).toBe(Y);
});

test("a store that does not answer is asked again", async () => {
  let asked = 0;
  const { locator, seen } = world({
    readPlaces: async () => {
      asked += 1;
      if (asked === 1) throw new Error("no store");
      return [X];
    },
  });
  seen.open = X;
  expect(await locator.locate(forever)).toBe(X);
  expect(seen.errors).toHaveLength(1);
});
