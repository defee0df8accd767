/** A short chaos run on real parts; `npm run chaos` makes long ones. */
import { afterAll, beforeAll, expect, onTestFailed, test } from "vitest";
import type { Lab } from "../../infra/lab/connect-lab.ts";
import { attachOrStartLab, FULL_LAB } from "../../infra/lab/lab.ts";
import { runChaos } from "../chaos/run-chaos.ts";

const DURATION_MS = 60_000;
const SEED = 1;
const signal = AbortSignal.timeout(900_000);
let lab: Lab;

beforeAll(async () => {
  lab = await attachOrStartLab(FULL_LAB, console.log, signal);
});
afterAll(() => lab.stop(signal));

test("under a minute of faults no acknowledged record is lost, and no two writers overlap", async () => {
  const told: string[] = [];
  const say = (line: string) => void told.push(line);
  onTestFailed(() => console.log(told.join("\n")));
  const onNodeLoss = "wait";
  const report = await runChaos(
    lab,
    { seed: SEED, onNodeLoss, durationMs: DURATION_MS, say },
    signal,
  );
  const { lost, repeated, disordered, overlaps, evidence } = report;
  const nothing = { lost: [], repeated: [], disordered: [], overlaps: [] };
  expect({ lost, repeated, disordered, overlaps }, evidence).toEqual(nothing);
  expect(report.acknowledged).toBeGreaterThan(0);
  expect(Object.keys(report.faults).length).toBeGreaterThan(3);
  expect(report.messages.dropped + report.messages.repeated).toBeGreaterThan(0);
}, 420_000);
