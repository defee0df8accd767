/**
 * What a vitest run came to, read from its JSON report. Pure, because the verdict on all tests hangs
 * on it: a file that could not be loaded, or an error outside any test, counts as a failure.
 */
import * as z from "zod";

export interface Tally {
  readonly passed: number;
  readonly failed: number;
  /** Full names of tests that exist but did not run. */
  readonly leftOut: readonly string[];
}

export const NO_TESTS: Tally = { passed: 0, failed: 0, leftOut: [] };

/** The part of vitest's report (Jest's format) that counts. */
const VitestReport = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      assertionResults: z.array(z.object({ status: z.string(), fullName: z.string() })),
    }),
  ),
});

/** @param report what vitest wrote, or undefined when it wrote nothing. */
export const tallyReport = (report: unknown, exitCode: number): Tally => {
  if (report === undefined) return { ...NO_TESTS, failed: 1 };
  const files = VitestReport.parse(report).testResults;
  const tests = files.flatMap(({ assertionResults }) => assertionResults);
  const passed = tests.filter(({ status }) => status === "passed").length;
  const failedTests = tests.filter(({ status }) => status === "failed").length;
  const brokenFiles = files.filter(
    ({ status, assertionResults }) =>
      status === "failed" && assertionResults.every((each) => each.status !== "failed"),
  ).length;
  const leftOut = tests
    .filter(({ status }) => status !== "passed" && status !== "failed")
    .map(({ fullName }) => fullName);
  const found = failedTests + brokenFiles;
  return { passed, failed: found === 0 && exitCode !== 0 ? 1 : found, leftOut };
};

export const addTallies = (tallies: readonly Tally[]): Tally => ({
  passed: tallies.reduce((sum, { passed }) => sum + passed, 0),
  failed: tallies.reduce((sum, { failed }) => sum + failed, 0),
  leftOut: tallies.flatMap(({ leftOut }) => leftOut),
});

/**
 * Whether the tests as a whole have passed. In CI a test that was left out is a failure: nobody
 * would notice otherwise that a part is never tested.
 */
export const isSuccess = ({ passed, failed, leftOut }: Tally, isCi: boolean): boolean =>
  passed > 0 && failed === 0 && !(isCi && leftOut.length > 0);
