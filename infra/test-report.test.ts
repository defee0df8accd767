import { expect, test } from "vitest";
import { addTallies, isSuccess, tallyReport } from "./test-report.ts";

const file = (status: string, ...tests: [string, string][]) => ({
  name: "some.test.ts",
  status,
  assertionResults: tests.map(([fullName, outcome]) => ({ fullName, status: outcome })),
});

test("passed, failed and skipped tests are counted apart", () => {
  const mixed = file("failed", ["a", "passed"], ["b", "failed"], ["c", "skipped"], ["d", "todo"]);
  expect(tallyReport({ testResults: [mixed] }, 1)).toEqual({
    passed: 1,
    failed: 1,
    leftOut: ["c", "d"],
  });
});

test("a file that could not be loaded is a failure", () => {
  const report = { testResults: [file("passed", ["a", "passed"]), file("failed")] };
  expect(tallyReport(report, 1)).toMatchObject({ passed: 1, failed: 1 });
});

test("an error outside any test is a failure", () => {
  const report = { testResults: [file("passed", ["a", "passed"])] };
  expect(tallyReport(report, 1)).toMatchObject({ passed: 1, failed: 1 });
});

test("a run without a report is a failure", () => {
  expect(tallyReport(undefined, 0)).toMatchObject({ passed: 0, failed: 1 });
});

test("tests that were left out fail the whole in CI only", () => {
  const tally = addTallies([
    { passed: 2, failed: 0, leftOut: [] },
    { passed: 1, failed: 0, leftOut: ["c"] },
  ]);
  expect(tally).toEqual({ passed: 3, failed: 0, leftOut: ["c"] });
  expect(isSuccess(tally, false)).toBe(true);
  expect(isSuccess(tally, true)).toBe(false);
});

test("a run of no tests has not passed", () => {
  expect(isSuccess({ passed: 0, failed: 0, leftOut: [] }, false)).toBe(false);
});
