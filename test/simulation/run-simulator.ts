/** The simulator's command line: many seeds over several processes, or one seed with its story. */
import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { readFlags } from "../../infra/read-flags.ts";
import { type Scenario, scenarioArbitrary, scenarioOf } from "./scenario.ts";
import { simulate } from "./simulate.ts";

interface Tally {
  seeds: number;
  acknowledged: number;
  revisions: number;
  losses: number;
  results: Record<string, number>;
  faults: Record<string, number>;
  failed: { readonly seed: number; readonly breaches: readonly string[] }[];
}

const emptyTally = (): Tally => ({
  seeds: 0,
  acknowledged: 0,
  revisions: 0,
  losses: 0,
  results: {},
  faults: {},
  failed: [],
});

const add = (counts: Record<string, number>, key: string, by = 1): void => {
  counts[key] = (counts[key] ?? 0) + by;
};

export const runSimulator = async (argv: readonly string[]): Promise<number> => {
  const flags = {
    seeds: { type: "string", default: "200" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    workers: { type: "string", default: String(availableParallelism()) },
  } as const;
  const values = readFlags("simulate", flags, argv);
  if (values.seed !== undefined) return replay(Number(values.seed));
  const from = Number(values.from);
  const count = Number(values.seeds);
  const workers = Number(values.workers);
  const startedMs = performance.now();
  const tally = workers > 1 ? await runInParts(from, count, workers) : await runSeeds(from, count);
  if (process.send !== undefined) {
    process.send(tally);
    return 0;
  }
  const seconds = (performance.now() - startedMs) / 1_000;
  console.log(describe(tally, seconds));
  return tally.failed.length === 0 ? 0 : 1;
};

const runSeeds = async (from: number, count: number): Promise<Tally> => {
  const tally = emptyTally();
  for (let seed = from; seed < from + count; seed += 1) {
    const scenario = scenarioOf(seed);
    const { breaches, acknowledged, results, revisions, losses } = await simulate(scenario);
    tally.seeds += 1;
    tally.acknowledged += acknowledged;
    tally.revisions += revisions;
    tally.losses += losses;
    for (const result of results) add(tally.results, result);
    for (const fault of scenario.faults) add(tally.faults, fault.kind);
    if (breaches.length === 0) continue;
    tally.failed.push({ seed, breaches });
    // At once: the rest may take long.
    process.stderr.write(`FAILED --seed ${seed}: ${breaches.join("; ")}\n`);
  }
  return tally;
};

/** A process each: what is replaced in Node is replaced for a whole process. */
const runInParts = async (from: number, count: number, workers: number): Promise<Tally> => {
  const share = Math.ceil(count / workers);
  const parts = Array.from({ length: workers }, (_, index) => {
    const first = index * share;
    return { from: from + first, count: Math.max(0, Math.min(share, count - first)) };
  });
  const tallies = await Promise.all(parts.map((part) => runPart(part)));
  return tallies.reduce((sum, tally) => {
    sum.seeds += tally.seeds;
    sum.acknowledged += tally.acknowledged;
    sum.revisions += tally.revisions;
    sum.losses += tally.losses;
    for (const [key, by] of Object.entries(tally.results)) add(sum.results, key, by);
    for (const [key, by] of Object.entries(tally.faults)) add(sum.faults, key, by);
    sum.failed.push(...tally.failed);
    return sum;
  }, emptyTally());
};

const runPart = ({ from, count }: { from: number; count: number }): Promise<Tally> =>
  new Promise((resolve, reject) => {
    const main = fileURLToPath(new URL("./main.ts", import.meta.url));
    const args = ["--from", String(from), "--seeds", String(count), "--workers", "1"];
    const child = fork(main, args);
    child.once("message", (tally) => resolve(tally as Tally));
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`a simulating process ended with ${code}`)));
  });

const describe = (tally: Tally, seconds: number): string => {
  const list = (counts: Record<string, number>) =>
    Object.entries(counts)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => `${key} ${value}`)
      .join(", ");
  const { seeds, acknowledged, revisions, losses, failed } = tally;
  return [
    `${seeds} seeds in ${seconds.toFixed(1)} s (${(seeds / seconds).toFixed(1)}/s)`,
    `deploys: ${list(tally.results)}`,
    `faults: ${list(tally.faults)}`,
    `revisions: ${revisions}; volumes that went on without their node: ${losses}; records acknowledged: ${acknowledged}`,
    `${seeds - failed.length} passed, ${failed.length} failed`,
  ].join("\n");
};

/** Tells one seed's story; when it fails, the story of the smallest scenario that fails too. */
const replay = async (seed: number): Promise<number> => {
  const outcome = await simulate(scenarioOf(seed), { isTold: true });
  if (outcome.breaches.length === 0) {
    console.log(outcome.story.join("\n"));
    console.log(`seed ${seed}: ${outcome.results.join(", ")}; all that must hold, holds`);
    return 0;
  }
  const smallest = await shrink(seed);
  const told = await simulate(smallest, { isTold: true });
  console.log(told.story.join("\n"));
  console.log(`seed ${seed}, made smaller:\n${JSON.stringify(smallest, null, 2)}`);
  console.log(told.breaches.join("\n"));
  return 1;
};

const SHRINK_RUNS_MAX = 300;

/** The smallest scenario found that breaks something. */
const shrink = async (seed: number): Promise<Scenario> => {
  let smallest = scenarioOf(seed);
  let runs = 0;
  const property = fc.asyncProperty(fc.noBias(scenarioArbitrary), async (scenario) => {
    runs += 1;
    if (runs > SHRINK_RUNS_MAX) return;
    const { breaches } = await simulate(scenario);
    if (breaches.length === 0) return;
    smallest = scenario;
    throw new Error(breaches.join("; "));
  });
  await fc.check(property, { seed, numRuns: 1 });
  return smallest;
};
