/**
 * `npm run mutants [-- --only N] [-- --file F] [-- --part 1/2] [-- --quick]`: each small wrong change
 * of the rules, and what finds it out: the unit tests of the rules, the exploration, or neither. Ends with 1 if one that is not harmless lives.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { readFlags } from "../../infra/read-flags.ts";
import type { Mutant } from "./mutant.ts";
import { MUTANTS } from "./mutants.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** A mutant may make something go on for ever. */
const TIMEOUT_MS = 180_000;

const values = readFlags("mutants", {
  only: { type: "string" },
  file: { type: "string" },
  /** `2/3`: of three parts the second. */
  part: { type: "string", default: "1/1" },
  /** Explores only what the unit tests do not find out. */
  quick: { type: "boolean", default: false },
});

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

const run = (argv: readonly string[], index: number): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, argv, {
      cwd: ROOT,
      env: { ...process.env, MUTANT: String(index) },
      stdio: ["ignore", "pipe", "ignore"],
      timeout: TIMEOUT_MS,
      killSignal: "SIGKILL",
    });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, output }));
  });

interface Verdict {
  readonly byUnitTests: boolean;
  /** What the exploration says; null: nothing, or it was not asked. */
  readonly byExploration: string | null;
}

const judge = async (index: number): Promise<Verdict> => {
  const vitest = ["node_modules/vitest/vitest.mjs", "run", "--config", `${HERE}vitest.config.ts`];
  const { code } = await run(vitest, index);
  const byUnitTests = code !== 0;
  if (values.quick && byUnitTests) return { byUnitTests, byExploration: null };
  const exploring = ["--import", `${HERE}mutating-hook.ts`, `${HERE}explore-all.ts`];
  return { byUnitTests, byExploration: readExplored(await run(exploring, index)) };
};

const readExplored = ({ code, output }: Ended): string | null => {
  if (code === null) return "it never ends";
  if (code !== 0) return "it throws";
  const { breach, others } = JSON.parse(output) as { breach: string | null; others: string[] };
  if (breach !== null) return breach;
  return others.length > 0 ? `another number of states in ${others.join(", ")}` : null;
};

const tell = ({ byUnitTests, byExploration }: Verdict, { isHarmless }: Mutant): string => {
  const found = [
    ...(byUnitTests ? ["unit tests"] : []),
    ...(byExploration === null ? [] : [`exploration: ${byExploration}`]),
  ];
  if (found.length > 0) return found.join("; ");
  return isHarmless === undefined ? "NOT FOUND OUT" : `lives, harmless: ${isHarmless}`;
};

const [part = 1, parts = 1] = values.part.split("/").map(Number);

const counts = { all: 0, unit: 0, exploration: 0, invariants: 0, harmless: 0, living: 0 };
for (const [index, mutant] of MUTANTS.entries()) {
  if (values.only !== undefined && Number(values.only) !== index) continue;
  if (index % parts !== part - 1) continue;
  if (values.file !== undefined && !mutant.file.includes(values.file)) continue;
  const verdict = await judge(index);
  const { byUnitTests, byExploration } = verdict;
  const isFound = byUnitTests || byExploration !== null;
  counts.all += 1;
  if (byUnitTests) counts.unit += 1;
  if (byExploration !== null) counts.exploration += 1;
  if (byExploration !== null && !byExploration.startsWith("another")) counts.invariants += 1;
  if (!isFound && mutant.isHarmless !== undefined) counts.harmless += 1;
  if (!isFound && mutant.isHarmless === undefined) counts.living += 1;
  console.log(`${index} ${mutant.file}: ${mutant.says}\n    ${tell(verdict, mutant)}`);
}
console.log(
  `\n${counts.all} mutants: ${counts.unit} found out by unit tests, ${counts.exploration} by the exploration (${counts.invariants} as something broken); ${counts.harmless} harmless ones live, and ${counts.living} others`,
);
process.exitCode = counts.living === 0 && counts.all > 0 ? 0 : 1;
