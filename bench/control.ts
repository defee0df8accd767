/**
 * `npm run bench -- control`: what a deploy costs beside its data. Simulated nodes move volumes of one
 * small file, for 1 to 1,000 projects at once, over a real RGW and a real broker.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { BENCH_PACKAGES, ensureDebianPackages } from "../infra/lab/debian-packages.ts";
import { attachOrStartLab } from "../infra/lab/lab.ts";
import type { Bench } from "./bench.ts";
import { openDeploys, type Wave } from "./control/deploys.ts";
import {
  aboutControl,
  type Found,
  type Measured,
  MINUTE_MS,
  NODES,
  RECORD_SIZES,
  rowsOf,
  SINGLE_DEPLOYS,
} from "./control/describe-control.ts";
import { countsSince, type Fleet, type FleetCounts, startFleet } from "./control/fleet.ts";
import type { Counts } from "./control/fleet-messages.ts";
import { recordBytes } from "./control/record-growth.ts";

const SIZES = "10,100,1000";
const QUICK_SIZES = "10";
/** Of more projects only the first deploys are measured, by most processes: each wave takes minutes. */
const MOVES_MAX = 100;
/** How many `serve` at each number of projects. */
const SERVES = "1,2,4";
const IDLE_MS = 60_000;
const QUICK_IDLE_MS = 20_000;

export const controlBench: Bench = {
  title: "Control",
  options: { projects: { type: "string" }, serves: { type: "string", default: SERVES } },
  run: async ({ options, isQuick, log }, signal) => {
    await ensureDebianPackages(BENCH_PACKAGES, signal);
    const lab = await attachOrStartLab({ engines: 0, gateways: 1, elasticmq: true }, log, signal);
    // In memory where there is room: the nodes' disks are no part of what is measured.
    const scratch = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
    const root = mkdtempSync(join(scratch, "bagage-control-"));
    try {
      const fleet = await startFleet(lab, {
        name: `control${Date.now() % 1e6}`,
        nodes: NODES,
        root,
      });
      try {
        const sizes = String(options["projects"] ?? (isQuick ? QUICK_SIZES : SIZES));
        const plan = {
          sizes: sizes.split(",").map(Number),
          serves: String(options["serves"]).split(",").map(Number),
          idleMs: isQuick ? QUICK_IDLE_MS : IDLE_MS,
        };
        const found = await measure(fleet, plan, log, signal);
        return { rows: rowsOf(found), about: aboutControl(found) };
      } finally {
        await fleet.close();
      }
    } finally {
      rmSync(root, { recursive: true, force: true });
      await lab.stop(AbortSignal.timeout(120_000));
    }
  },
};

interface Plan {
  readonly sizes: readonly number[];
  readonly serves: readonly number[];
  readonly idleMs: number;
}

const measure = async (
  fleet: Fleet,
  { sizes, serves, idleMs }: Plan,
  log: (line: string) => void,
  signal: AbortSignal,
): Promise<Found> => {
  await fleet.serve(1);
  const deploys = await openDeploys(fleet, signal);
  const empty = await idleFor(fleet, idleMs, signal);
  log(`idle, no projects: ${JSON.stringify(empty)}`);
  const wave = async (
    projects: number,
    kind: Measured["deploys"],
    work: () => Promise<Wave>,
  ): Promise<Measured> => {
    const done = { ...(await work()), projects, serves: serving, deploys: kind };
    const { counts: _, ...times } = done;
    log(`${projects} ${kind}, ${serving} serve: ${JSON.stringify(times)}`);
    return done;
  };
  let serving = 1;
  await deploys.add(1);
  // Once around, so that every queue is known and every node has seen the project.
  await deploys.deployOne(NODES, "next");
  const alone = await deploys.deployOne(SINGLE_DEPLOYS, "next");
  const single: Measured = { ...alone, projects: 1, serves: 1, deploys: "moves" };
  const requests = perDeploy(alone, SINGLE_DEPLOYS, empty, idleMs);
  log(`one deploy: ${JSON.stringify({ p50Ms: alone.p50Ms, p99Ms: alone.p99Ms, requests })}`);
  const stay = await deploys.deployOne(SINGLE_DEPLOYS, "same");
  const staying = perDeploy(stay, SINGLE_DEPLOYS, empty, idleMs);
  log(`one that stays: ${JSON.stringify({ p50Ms: stay.p50Ms, staying })}`);
  const waves: Measured[] = [];
  const run = async (processes: number): Promise<void> => {
    serving = processes;
    await fleet.serve(processes);
  };
  for (const projects of sizes) {
    if (projects > MOVES_MAX) {
      await run(Math.max(...serves));
      waves.push(await wave(projects, "first deploys", () => deploys.add(projects)));
      continue;
    }
    await run(1);
    const missing = projects - deploys.count();
    if (missing > 0) {
      waves.push(await wave(missing, "first deploys", () => deploys.add(missing)));
    }
    for (const processes of serves) {
      await run(processes);
      waves.push(await wave(projects, "moves", () => deploys.moveAll(projects)));
    }
  }
  await run(1);
  const full = await idleFor(fleet, idleMs, signal);
  log(`idle, ${deploys.count()} projects: ${JSON.stringify(full)}`);
  const idle = {
    projects: deploys.count(),
    empty: perMinute(empty, idleMs),
    full: perMinute(full, idleMs),
  };
  return { single, requests, staying, waves, idle, records: recordBytes(RECORD_SIZES) };
};

const idleFor = async (fleet: Fleet, ms: number, signal: AbortSignal): Promise<FleetCounts> => {
  const before = await fleet.counts();
  await delay(ms, undefined, { signal });
  return countsSince(before, await fleet.counts());
};

const scale = (counts: Counts, factor: number): Counts =>
  Object.fromEntries(Object.entries(counts).map(([kind, n]) => [kind, n * factor]));

const eachOf = (
  counts: FleetCounts,
  change: (counts: Counts, of: keyof FleetCounts) => Counts,
) => ({
  control: change(counts.control, "control"),
  nodes: change(counts.nodes, "nodes"),
  engine: change(counts.engine, "engine"),
  queues: change(counts.queues, "queues"),
});

const perMinute = (counts: FleetCounts, ms: number): FleetCounts =>
  eachOf(counts, (each) => scale(each, MINUTE_MS / ms));

/** Of one deploy: what was counted, less what heartbeats, sweeps and long polls ask anyway. */
const perDeploy = (
  { counts, elapsedMs }: Wave,
  deployCount: number,
  idle: FleetCounts,
  idleMs: number,
): FleetCounts =>
  eachOf(counts, (each, of) =>
    Object.fromEntries(
      Object.entries(each).map(([kind, n]) => {
        const anyway = ((idle[of][kind] ?? 0) * elapsedMs) / idleMs;
        return [kind, Math.max(0, n - anyway) / deployCount];
      }),
    ),
  );
