import { expect, test } from "vitest";
import { createProgressRate } from "./progress-rate.ts";

test("a rate needs half a second of evidence", () => {
  const rate = createProgressRate();
  expect(rate.add(0, 1_000)).toBeNull();
  expect(rate.add(400, 1_400)).toBeNull();
  expect(rate.add(500, 1_500)).toBe(1_000);
});

test("what was long ago does not count any more", () => {
  const rate = createProgressRate();
  for (let s = 0; s <= 100; s += 1) rate.add(s * 1_000_000, s * 1_000);
  let last: number | null = null;
  for (let s = 101; s <= 112; s += 1) last = rate.add(100_000_000 + (s - 100) * 10, s * 1_000);
  expect(last).toBe(10);
});

test("something that stands still has no speed, and something taken back none below it", () => {
  const rate = createProgressRate();
  rate.add(10, 0);
  expect(rate.add(10, 1_000)).toBe(0);
  expect(rate.add(5, 2_000)).toBe(0);
});
