import { expect, test } from "vitest";
import { createReportMemory } from "./report-memory.ts";

test("only what was owed before the agent began, or what it wrote itself, may stand", () => {
  const reports = createReportMemory(() => 1_000);
  expect(reports.mayStand("old", 999)).toBe(true);
  expect(reports.mayStand("new", 1_001)).toBe(false);
  reports.written("new");
  expect(reports.mayStand("new", 1_001)).toBe(true);
});

test("what was forgotten for want of room is looked up again", () => {
  const clock = { ms: 0 };
  const reports = createReportMemory(() => clock.ms);
  for (clock.ms = 1; clock.ms <= 10_001; clock.ms += 1) reports.written(`${clock.ms}`);
  expect(reports.mayStand("1", 1)).toBe(true);
  expect(reports.mayStand("another", 20_000)).toBe(false);
});
