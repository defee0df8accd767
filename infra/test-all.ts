/**
 * `npm test`: the static checks, the tests that need nothing, and the tests that need the lab, which
 * starts meanwhile and ends with them. The last line is the verdict: `N passed, N failed`. Where no
 * lab can be had, its tests are left out, loudly; in CI (CI=true) that is a failure.
 */
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BagageError } from "../volume/errors.ts";
import type { Lab } from "./lab/connect-lab.ts";
import { attachOrStartLab, descriptionFile, FULL_LAB, STOP_TIMEOUT_MS } from "./lab/lab.ts";
import { addTallies, isSuccess, NO_TESTS, type Tally, tallyReport } from "./test-report.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const REPORTS = join(ROOT, ".build", "test-reports");
const IS_CI = process.env["CI"] === "true";
/** The projects of vitest.config.ts that need the lab; all others run without. */
const LAB_PROJECTS = ["contract", "lab"];
/** What a machine that is no lab can be told by. */
const NO_LAB_CODES = ["not_debian", "not_root"];

const runAll = async (signal: AbortSignal): Promise<Tally> => {
  rmSync(REPORTS, { recursive: true, force: true });
  mkdirSync(REPORTS, { recursive: true });
  // Packages come over the network: the checks do not wait for them.
  const [withoutLab, lab] = await Promise.all([runWithoutLab(signal), findLab(signal)]);
  if (!("lab" in lab)) return addTallies([withoutLab, lab]);
  try {
    const flags = LAB_PROJECTS.map((name) => `--project=${name}`);
    // Files one by one: they share the lab.
    const args = [...flags, "--no-file-parallelism"];
    const env = { BAGAGE_LAB: descriptionFile(lab.lab.directory) };
    return addTallies([withoutLab, await runVitest("with-lab", args, { env, signal })]);
  } finally {
    await lab.lab.stop(AbortSignal.timeout(STOP_TIMEOUT_MS));
  }
};

const runWithoutLab = async (signal: AbortSignal): Promise<Tally> => {
  const checks = [await runCheck(["biome", "check", "."], signal), await runCheck(["tsc"], signal)];
  const flags = LAB_PROJECTS.map((name) => `--project=!${name}`);
  return addTallies([...checks, await runVitest("without-lab", flags, { env: {}, signal })]);
};

/** The lab, or what its absence counts as. */
const findLab = async (signal: AbortSignal): Promise<{ readonly lab: Lab } | Tally> => {
  try {
    return { lab: await attachOrStartLab(FULL_LAB, (line) => announce(`lab: ${line}`), signal) };
  } catch (error) {
    signal.throwIfAborted();
    const isBagage = error instanceof BagageError;
    announce(`The lab did not start: ${error instanceof Error ? error.message : error}`);
    if (isBagage && error.hint !== undefined) announce(error.hint);
    if (!isBagage || !NO_LAB_CODES.includes(error.code)) return { ...NO_TESTS, failed: 1 };
    return { ...NO_TESTS, leftOut: LAB_PROJECTS.map((name) => `all tests of test/${name}`) };
  }
};

const runCheck = async (argv: readonly [string, ...string[]], signal: AbortSignal) => {
  const exitCode = await run(argv, {}, signal);
  return exitCode === 0 ? { ...NO_TESTS, passed: 1 } : { ...NO_TESTS, failed: 1 };
};

const runVitest = async (
  name: string,
  flags: readonly string[],
  { env, signal }: { readonly env: Record<string, string>; readonly signal: AbortSignal },
): Promise<Tally> => {
  const file = join(REPORTS, `${name}.json`);
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
  const exitCode = await run(["vitest", "run", ...flags, ...reporters], env, signal);
  return tallyReport(readReport(file), exitCode);
};

const readReport = (file: string): unknown => {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
};

/** Runs a program of node_modules/.bin with its output shown. Resolves with its exit code. */
const run = async (
  argv: readonly [string, ...string[]],
  env: Record<string, string>,
  signal: AbortSignal,
): Promise<number> => {
  signal.throwIfAborted();
  const startedMs = performance.now();
  const [program, ...args] = argv;
  const child = spawn(join(ROOT, "node_modules", ".bin", program), args, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const stop = () => child.kill("SIGTERM");
  signal.addEventListener("abort", stop);
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? 1));
  });
  signal.removeEventListener("abort", stop);
  signal.throwIfAborted();
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  announce(`${program} ${args[0] ?? ""}: ${exitCode === 0 ? "passed" : "FAILED"} (${seconds} s)`);
  return exitCode;
};

const announce = (line: string): void => {
  console.log(`> ${line}`);
};

const main = async (): Promise<void> => {
  const interrupted = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => interrupted.abort(new Error(`Interrupted by ${name}`)));
  }
  let tally: Tally;
  try {
    tally = await runAll(interrupted.signal);
  } catch (error) {
    console.error(error);
    tally = { ...NO_TESTS, failed: 1 };
  }
  if (tally.leftOut.length > 0) {
    console.log("\n!!! LEFT OUT, so nothing is known about them:");
    for (const name of tally.leftOut) console.log(`!!!   ${name}`);
    if (IS_CI) console.log("!!! In CI nothing may be left out: this run has failed.");
  }
  process.exitCode = isSuccess(tally, IS_CI) ? 0 : 1;
  console.log(`\n${tally.passed} passed, ${tally.failed} failed`);
};

await main();
