/** `npm run chaos -- --minutes 10 [--seed N] [--on-node-loss restore] [--json]`: faults on a lab of real parts, and the verdict. */
import { attachOrStartLab, FULL_LAB, STOP_TIMEOUT_MS } from "../../infra/lab/lab.ts";
import { readFlags } from "../../infra/read-flags.ts";
import type { OnNodeLoss } from "./keep-deploying.ts";
import { type ChaosReport, runChaos } from "./run-chaos.ts";

const values = readFlags("chaos", {
  minutes: { type: "string", default: "2" },
  seed: { type: "string" },
  "on-node-loss": { type: "string", default: "wait" },
  json: { type: "boolean", default: false },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
if (!Number.isFinite(minutes) || minutes <= 0 || !Number.isSafeInteger(seed)) {
  process.stderr.write("--minutes is a number above 0, --seed a whole number\n");
  process.exit(2);
}
const onNodeLoss: OnNodeLoss = values["on-node-loss"] === "restore" ? "restore" : "wait";
if (onNodeLoss !== values["on-node-loss"]) {
  process.stderr.write("--on-node-loss is wait or restore\n");
  process.exit(2);
}
const say = (line: string): void => {
  if (!values.json) process.stdout.write(`${line}\n`);
};

const table = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([name, count]) => `  ${String(count).padStart(5)}  ${name}`)
    .join("\n");

const show = (report: ChaosReport): void => {
  const { deploys, faults, messages, acknowledged, lost, repeated, disordered, overlaps } = report;
  say(
    `\nseed ${report.seed}, ${minutes} min\ndeploys\n${table(deploys)}\nfaults\n${table(faults)}`,
  );
  say(`messages\n${table({ ...messages })}`);
  say(`records acknowledged ${acknowledged}, by ${report.instances} instances`);
  if (onNodeLoss === "restore") {
    say(`went on without their node ${report.failovers} times`);
    say(`records that a lost node alone had ${report.aside.length}, all in branches`);
  }
  say(`lost ${lost.length}, repeated ${repeated.length}, out of order ${disordered.length}`);
  say(`overlaps ${overlaps.length}`);
  if (report.isPassed) return;
  process.stderr.write(`FAILED: ${JSON.stringify({ lost, repeated, disordered, overlaps })}\n`);
  process.stderr.write(`evidence: ${report.evidence}\n`);
  process.stderr.write(
    `again: npm run chaos -- --minutes ${minutes} --seed ${seed} --on-node-loss ${onNodeLoss}\n`,
  );
};

const interrupted = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.once(name, () => interrupted.abort(new Error(`stopped by ${name}`)));
}
const lab = await attachOrStartLab(FULL_LAB, say, interrupted.signal);
let isPassed = false;
try {
  const options = { seed, onNodeLoss, durationMs: minutes * 60_000, say };
  const report = await runChaos(lab, options, interrupted.signal);
  isPassed = report.isPassed;
  show(report);
  if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`);
} finally {
  // A lab that was started here keeps what a failed run has left.
  if (isPassed) await lab.stop(AbortSignal.timeout(STOP_TIMEOUT_MS));
}
process.exit(isPassed ? 0 : 1);
