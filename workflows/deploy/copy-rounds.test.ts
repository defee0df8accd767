import fc from "fast-check";
import { expect, test } from "vitest";
import { SnapshotId } from "../ids.ts";
import type { CopyRound, VolumeMove } from "../record.ts";
import { estimatePause, knownCopyRate, needsAnotherRound, predictPause } from "./copy-rounds.ts";

const MB = 1_000_000;
const copy = (round: number, changedBytes: number, durationMs: number): CopyRound => ({
  ...{ round, changedBytes, durationMs, storedBytes: changedBytes },
  snapshotId: SnapshotId.parse(`snapshot-${round}`),
});
const volume = (...copies: CopyRound[]): VolumeMove => ({
  ...{ settings: { onNodeLoss: "wait" }, from: null, to: null, restore: null, copies },
  ...{ sealed: null, hydrated: null },
});

test("rounds end when the last one was small, or no longer shrinks, or they were many", () => {
  expect(needsAnotherRound([volume(copy(1, 900 * MB, 1))], 1)).toBe(true);
  expect(needsAnotherRound([volume(copy(1, 9 * MB, 1))], 1)).toBe(false);
  const halved = volume(copy(1, 900 * MB, 1), copy(2, 400 * MB, 1));
  expect(needsAnotherRound([halved], 2)).toBe(true);
  const stalled = volume(copy(1, 900 * MB, 1), copy(2, 800 * MB, 1));
  expect(needsAnotherRound([stalled], 2)).toBe(false);
  expect(needsAnotherRound([volume(copy(5, 900 * MB, 1), copy(6, 90 * MB, 1))], 6)).toBe(false);
});

test("the pause is predicted from the first round's rate and the last round's delta, both ways", () => {
  expect(predictPause([volume()])).toBeNull();
  expect(predictPause([volume(copy(1, 100 * MB, 1_000), copy(2, 10 * MB, 300))])).toBe(1_700);
});

test("a plan's estimate: nothing dirty costs the fixed pause alone", () => {
  const clean = { dirtyBytes: 0, dirtyForMs: 1_000, isMoved: true };
  expect(estimatePause([], 50 * MB)).toBe(1_500);
  expect(estimatePause([clean], 50 * MB)).toBe(1_500);
});

test("a plan's estimate grows with the rate of writing, not with the volume", () => {
  const hour = 3_600_000;
  const slow = { dirtyBytes: 100 * MB, dirtyForMs: hour, isMoved: true };
  const fast = { dirtyBytes: 100_000 * MB, dirtyForMs: hour, isMoved: true };
  expect(estimatePause([slow], 50 * MB)).toBeLessThan(1_600);
  expect(estimatePause([fast], 50 * MB)).toBeGreaterThan(estimatePause([slow], 50 * MB));
  const never = { dirtyBytes: 10_000 * MB, dirtyForMs: null, isMoved: true };
  expect(estimatePause([never], 16 * 2 ** 20)).toBe(3_500);
  expect(estimatePause([{ ...never, isMoved: false }], 16 * 2 ** 20)).toBe(2_500);
});

test("an estimate never exceeds moving all that is dirty, up and down", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1e12, noNaN: true }),
      fc.option(fc.double({ min: 0, max: 1e9, noNaN: true })),
      fc.boolean(),
      fc.double({ min: 1e3, max: 1e10, noNaN: true }),
      (dirtyBytes, dirtyForMs, isMoved, rate) => {
        const pauseMs = estimatePause([{ dirtyBytes, dirtyForMs, isMoved }], rate);
        const most = 1_500 + (dirtyBytes / rate) * 1_000 * (isMoved ? 2 : 1);
        expect(pauseMs).toBeGreaterThanOrEqual(1_500);
        expect(pauseMs).toBeLessThanOrEqual(Math.ceil(most));
      },
    ),
  );
});

test("the rate is the newest that a copy of some size has shown", () => {
  const name = "data";
  const ended = (...copies: CopyRound[]) => ({ volumes: { [name]: volume(...copies) } });
  expect(knownCopyRate([])).toBe(50 * MB);
  expect(knownCopyRate([ended(copy(1, 100, 1))])).toBe(50 * MB);
  const told = [ended(copy(1, 20 * MB, 1_000)), ended(copy(1, 30 * MB, 1_000), copy(2, 5, 9))];
  expect(knownCopyRate(told)).toBe(30 * MB);
});
