/**
 * The simulator in the small: some seeds on each run of the tests, and proof that it sees what it is
 * there to see. `npm run simulate -- --seeds 5000` runs it in the large.
 */
import "./simulation/built-ins.ts";
import { expect, test } from "vitest";
import { MUTATIONS } from "./simulation/mutation.ts";
import type { Fault, Scenario } from "./simulation/scenario.ts";

const { scenarioOf } = await import("./simulation/scenario.ts");
const { simulate } = await import("./simulation/simulate.ts");

const SEEDS = 25;
const TIMEOUT_MS = 300_000;
/** Each planted bug is found within so many seeds. */
const MUTANT_SEEDS_MAX = 10;

const seeds = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

test(`what must hold, holds in ${SEEDS} simulated worlds`, { timeout: TIMEOUT_MS }, async () => {
  for (const seed of seeds(SEEDS)) {
    const { breaches } = await simulate(scenarioOf(seed));
    expect(breaches, `npm run simulate -- --seed ${seed}`).toEqual([]);
  }
});

test("a seed tells the same story every time", async () => {
  const first = await simulate(scenarioOf(7));
  const second = await simulate(scenarioOf(7));
  expect(first.story.length).toBeGreaterThan(100);
  expect(second.story).toEqual(first.story);
});

/** Two versions on x, one on y; and what a bug may need besides to show itself. */
const moveWith = (seed: number, faults: readonly Fault[]): Scenario => ({
  seed,
  isShared: false,
  volumeCount: 1,
  onNodeLoss: "wait",
  pushes: [5_000, 30_000, 60_000].map((atMs, index) => ({
    atMs,
    node: index < 2 ? "x" : "y",
    behaviour: "good",
  })),
  faults,
});
const LATE: readonly Fault[] = [
  { kind: "late-start", atMs: 57_000, node: "x", lateMs: 20_000 },
  { kind: "container-dies", atMs: 58_000, node: "x" },
];
const COLLECTIONS: readonly Fault[] = [10_000, 40_000, 70_000, 100_000].map((atMs) => ({
  kind: "collect",
  atMs,
  control: "c1",
}));

test("without a bug the same worlds have nothing to find", async () => {
  const { breaches, results } = await simulate(moveWith(1, [...LATE, ...COLLECTIONS]));
  expect(breaches).toEqual([]);
  expect(results).toEqual(["deployed", "deployed", "deployed", "deployed"]);
});

test("25: a node that was rebooted is heard of again, and serves what it owns", async () => {
  const reboot: Fault = { kind: "reboot", atMs: 40_000, node: "x", downMs: 60_000 };
  const { breaches, results } = await simulate(moveWith(1, [reboot]));
  expect(breaches).toEqual([]);
  expect(results).toContain("deployed");
});

/** A volume that goes on without x, which is back later. */
const without = (seed: number, fault: Fault): Scenario => ({
  ...moveWith(seed, [fault]),
  onNodeLoss: "restore",
  pushes: [5_000, 30_000].map((atMs) => ({ atMs, node: "x", behaviour: "good" })),
});
const CUT: Fault = { kind: "cut", atMs: 60_000, node: "x", forMs: 60_000 };
const FROZEN: Fault = { kind: "freeze", atMs: 60_000, machine: "x", forMs: 60_000 };

test.for([CUT, { kind: "lose", atMs: 60_000, node: "x", returns: "late" } as const])(
  "29: a node that is lost ($kind): its volume goes on without it, and what it had is a branch",
  async (fault) => {
    const { breaches, losses, results } = await simulate(without(1, fault));
    expect(breaches).toEqual([]);
    expect(losses).toBe(1);
    expect(new Set(results)).toEqual(new Set(["deployed"]));
  },
);

test.for(MUTATIONS)("a planted bug is found: %s", async (mutation) => {
  for (const seed of seeds(MUTANT_SEEDS_MAX)) {
    const isOfLease = mutation === "guard-sleeps";
    const scenario = isOfLease ? without(seed, FROZEN) : moveWith(seed, [...LATE, ...COLLECTIONS]);
    const { breaches } = await simulate(scenario, { mutation });
    if (breaches.length > 0) return;
  }
  throw new Error(`${MUTANT_SEEDS_MAX} seeds do not find it`);
});
