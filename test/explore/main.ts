/**
 * `npm run explore [-- --scenario S] [--nodes N] [--states N] [--variant V] [--story]`: everything that
 * can happen in each scenario over the real rules, then each broken variant until it is found out. Ends
 * with 1 if the real rules break something, or if a variant is not found out.
 */
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { readFlags } from "../../infra/read-flags.ts";
import { GARBAGE_INVARIANTS } from "./collector/garbage-invariants.ts";
import type { Explored } from "./explore.ts";
import type { Job } from "./explore-worker.ts";
import {
  CHANGE_INVARIANTS,
  GOALS,
  MESSAGE_INVARIANTS,
  MOVE_INVARIANTS,
  STATE_INVARIANTS,
} from "./invariants.ts";
import { BROKEN_RULES, SUBJECTS } from "./subjects.ts";

const OPTIONS = {
  scenario: { type: "string" },
  nodes: { type: "string" },
  /** How far each exploration goes. */
  states: { type: "string" },
  variant: { type: "string" },
  /** Takes no two states for one that are one but for names. */
  "no-symmetry": { type: "boolean", default: false },
  /** Of the variants too, the shortest way to what they break. */
  story: { type: "boolean", default: false },
} as const;

const WORKERS_MAX = 2;

const values = readFlags("explore", OPTIONS);
const canMerge = !values["no-symmetry"];
const extentOf = (scenario: string) => {
  const subject = SUBJECTS.find(({ name }) => name === scenario);
  return { canMerge, statesMax: Number(values.states ?? subject?.statesMax) };
};

const scenarios = SUBJECTS.filter(
  ({ name, nodes }) =>
    (values.scenario === undefined || values.scenario === name) &&
    (values.nodes === undefined || Number(values.nodes) === nodes),
);
const isAll = values.scenario === undefined && values.nodes === undefined;
const variants = BROKEN_RULES.filter(({ name }) =>
  values.variant === undefined ? isAll : values.variant === name,
);
const jobs: Job[] = [
  ...(values.variant === undefined ? scenarios : []).map(({ name }) => ({
    ...{ scenario: name, variant: null, ...extentOf(name) },
  })),
  ...variants.map(({ name, ...broken }) => {
    const scenario = values.scenario ?? broken.scenario;
    return { scenario, variant: name, ...extentOf(scenario) };
  }),
];

const totals = { states: 0, transitions: 0, isGood: jobs.length > 0 };

const tell = ({ scenario, variant }: Job, explored: Explored): void => {
  const { states, transitions, records, ms, isComplete, breach } = explored;
  const seconds = (ms / 1000).toFixed(1);
  if (variant === null) {
    totals.states += states;
    totals.transitions += transitions;
    if (breach !== null) totals.isGood = false;
    const extent = isComplete ? "to the end" : "BOUNDED: there is more that was not looked at";
    const counts = `${count(states)} states, ${count(transitions)} transitions, ${count(records)} records`;
    console.log(`${scenario}: ${counts}, ${seconds} s, ${extent}`);
    console.log(`  ${SUBJECTS.find(({ name }) => name === scenario)?.says}`);
    if (explored.ends.length > 0 && breach === null)
      console.log(`  ends seen: ${explored.ends.join(", ")}`);
    if (breach !== null) console.log(`  BROKEN: ${breach.what}`);
  } else {
    if (breach === null) totals.isGood = false;
    const verdict =
      breach === null
        ? "NOT FOUND OUT"
        : `found out after ${breach.story.length - 1} steps: ${breach.what}`;
    console.log(`${variant}: ${verdict} (${count(states)} states of ${scenario}, ${seconds} s)`);
  }
  if (breach !== null && (variant === null || values.story)) {
    breach.story.forEach((line, index) => {
      console.log(`  ${String(index).padStart(3)}  ${line}`);
    });
  }
};

const count = (n: number): string => n.toLocaleString("en");

/** Takes jobs until none is left. */
const work = async (): Promise<void> => {
  const worker = new Worker(new URL("./explore-worker.ts", import.meta.url));
  for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
    worker.postMessage(job);
    // An error of the worker ends the wait, as `once` has it.
    const [explored] = (await once(worker, "message")) as [Explored];
    tell(job, explored);
  }
  await worker.terminate();
};

const began = performance.now();
const checked = [
  ...[STATE_INVARIANTS, CHANGE_INVARIANTS, MOVE_INVARIANTS, MESSAGE_INVARIANTS, GOALS],
  GARBAGE_INVARIANTS,
].flatMap(Object.values);
console.log("What must hold:");
for (const { says } of checked) console.log(`  ${says}`);
console.log("");
const asked = jobs.length;
await Promise.all(
  Array.from({ length: Math.min(WORKERS_MAX, availableParallelism(), asked) }, work),
);
const seconds = ((performance.now() - began) / 1000).toFixed(1);
const verdict = totals.isGood ? "nothing is broken" : asked === 0 ? "nothing was asked" : "FAILED";
console.log(
  `\n${count(totals.states)} states, ${count(totals.transitions)} transitions in ${seconds} s: ${verdict}`,
);
process.exitCode = totals.isGood ? 0 : 1;
