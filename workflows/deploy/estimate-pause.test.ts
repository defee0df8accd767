import fc from "fast-check";
import { expect, test } from "vitest";
import { estimatePause } from "./estimate-pause.ts";

const MB = 1_000_000;
const at = (rateBytesPerS: number) => ({ baseMs: 1_500, rateBytesPerS });

test("a plan's estimate: nothing dirty costs the known pause alone", () => {
  const clean = { dirtyBytes: 0, dirtyForMs: 1_000, isMoved: true };
  expect(estimatePause([], at(50 * MB))).toBe(1_500);
  expect(estimatePause([clean], { baseMs: 700, rateBytesPerS: 50 * MB })).toBe(700);
});

test("a plan's estimate grows with the rate of writing, not with the volume", () => {
  const hour = 3_600_000;
  const slow = { dirtyBytes: 100 * MB, dirtyForMs: hour, isMoved: true };
  const fast = { dirtyBytes: 100_000 * MB, dirtyForMs: hour, isMoved: true };
  expect(estimatePause([slow], at(50 * MB))).toBeLessThan(1_600);
  expect(estimatePause([fast], at(50 * MB))).toBeGreaterThan(estimatePause([slow], at(50 * MB)));
  const never = { dirtyBytes: 10_000 * MB, dirtyForMs: null, isMoved: true };
  expect(estimatePause([never], at(16 * 2 ** 20))).toBe(3_500);
  expect(estimatePause([{ ...never, isMoved: false }], at(16 * 2 ** 20))).toBe(2_500);
});

test("an estimate never exceeds moving all that is dirty, up and down", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1e12, noNaN: true }),
      fc.option(fc.double({ min: 0, max: 1e9, noNaN: true })),
      fc.boolean(),
      fc.double({ min: 1e3, max: 1e10, noNaN: true }),
      (dirtyBytes, dirtyForMs, isMoved, rate) => {
        const pauseMs = estimatePause([{ dirtyBytes, dirtyForMs, isMoved }], at(rate));
        const most = 1_500 + (dirtyBytes / rate) * 1_000 * (isMoved ? 2 : 1);
        expect(pauseMs).toBeGreaterThanOrEqual(1_500);
        expect(pauseMs).toBeLessThanOrEqual(Math.ceil(most));
      },
    ),
  );
});
