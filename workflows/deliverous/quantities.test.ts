import * as fc from "fast-check";
import { expect, test } from "vitest";
import { accept } from "./outcome.ts";
import {
  parseCpus,
  parseDuration,
  parseMemoryLimit,
  parseSchedule,
  renderDuration,
} from "./quantities.ts";

const ANY = { minMs: 0, maxMs: Number.MAX_SAFE_INTEGER };

test("a duration that is rendered reads back as itself", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10 ** 10 }), (ms) => {
      expect(parseDuration(renderDuration(ms), ANY)).toEqual(accept(ms));
    }),
  );
});

test.for([
  ["90s", 90_000],
  ["1m30s", 90_000],
  ["1h0.5m", 3_630_000],
  ["1500us", 2],
  ["0s", 0],
  ["1w2d", 777_600_000],
] as const)("the duration %s is %d ms", ([text, ms]) => {
  expect(parseDuration(text, ANY)).toEqual(accept(ms));
});

test.for(["", "30", "1 m", "-1s", "1S", "s", "1e3s", "m30", "NaNs"])(
  "%j is no duration",
  (text) => {
    expect(parseDuration(text, ANY).ok).toBe(false);
  },
);

test("a duration out of bounds is told the bounds", () => {
  expect(parseDuration("2h", { minMs: 1, maxMs: 60_000 })).toMatchObject({
    flaws: [{ remedy: "write 1ms to 1m" }],
  });
});

test("sizes are powers of 1024, in any of Compose's spellings", () => {
  for (const size of [
    "512m",
    "512M",
    "512mb",
    "512MiB",
    "0.5g",
    "524288k",
    536_870_912,
    "536870912b",
  ]) {
    expect(parseMemoryLimit(size)).toEqual(accept(512 * 2 ** 20));
  }
  for (const size of ["5m", "-1g", "1x", "", "9e9g", 0, "99999999t"]) {
    expect(parseMemoryLimit(size).ok).toBe(false);
  }
});

test("processors and schedules", () => {
  expect([parseCpus(0.5), parseCpus("2")]).toEqual([accept(0.5), accept(2)]);
  for (const cpus of [0, -1, 1e9, Number.NaN, "two", "1e2"]) expect(parseCpus(cpus).ok).toBe(false);
  expect(parseSchedule("every 15m")).toEqual(accept(900_000));
  for (const text of ["15m", "every", "every 0s", "every 15m ", "hourly"]) {
    expect(parseSchedule(text).ok).toBe(false);
  }
});
