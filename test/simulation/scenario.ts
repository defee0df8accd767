/** What happens in a run, as data: drawn from a seed, and made smaller by fast-check when it fails. */
import fc from "fast-check";
import { VolumeName } from "../../workflows/ids.ts";
import { BEHAVIOURS } from "./application.ts";

export const CONTROLS = ["c1", "c2"] as const;
export const NODES = ["x", "y"] as const;
export const MACHINES = [...CONTROLS, ...NODES] as const;
export type NodeName = (typeof NODES)[number];

/** Faults and pushes fall into this time; after it everything is mended. */
export const TROUBLED_MS = 150_000;

const kind = <const K extends string>(name: K) => fc.constant(name);
const atMs = fc.integer({ min: 0, max: TROUBLED_MS });
const upToS = (seconds: number) => fc.integer({ min: 1, max: seconds * 1_000 });
const control = fc.constantFrom(...CONTROLS);
const node = fc.constantFrom(...NODES);
const machine = fc.constantFrom(...MACHINES);
const share = fc.constantFrom(0.1, 0.3, 0.6, 1);
const moment = fc.constantFrom("before", "after");
const clockByMs = fc.constantFrom(-86_400_000, -60_000, 60_000, 86_400_000);
const storeTrouble = fc.constantFrom(
  ...(["busy", "timeout", "reply-lost", "late", "wrong-bytes", "full"] as const),
);
const queueTrouble = fc.constantFrom("lose", "repeat", "delay", "ancient");

const weighted = <T>(weight: number, arbitrary: fc.Arbitrary<T>) => ({ weight, arbitrary });

export const faultArbitrary = fc.oneof(
  weighted(
    5,
    fc.record({
      kind: kind("kill"),
      atMs,
      machine,
      calls: fc.nat(60),
      moment,
      downMs: upToS(30),
    }),
  ),
  weighted(2, fc.record({ kind: kind("freeze"), atMs, machine, forMs: upToS(60) })),
  weighted(2, fc.record({ kind: kind("reboot"), atMs, node, downMs: upToS(60) })),
  weighted(1, fc.record({ kind: kind("daemon-restart"), atMs, node, downMs: upToS(20) })),
  weighted(2, fc.record({ kind: kind("late-start"), atMs, node, lateMs: upToS(60) })),
  weighted(1, fc.record({ kind: kind("deaf-container"), atMs, node, forMs: upToS(60) })),
  weighted(1, fc.record({ kind: kind("container-dies"), atMs, node })),
  weighted(1, fc.record({ kind: kind("stranger"), atMs, node, forMs: upToS(60) })),
  weighted(
    4,
    fc.record({ kind: kind("store"), atMs, trouble: storeTrouble, share, forMs: upToS(60) }),
  ),
  weighted(
    3,
    fc.record({ kind: kind("queue"), atMs, trouble: queueTrouble, share, forMs: upToS(60) }),
  ),
  weighted(1, fc.record({ kind: kind("clock"), atMs, machine, byMs: clockByMs })),
  weighted(1, fc.record({ kind: kind("disk-full"), atMs, node, forMs: upToS(60) })),
  weighted(2, fc.record({ kind: kind("collect"), atMs, control })),
  weighted(1, fc.record({ kind: kind("cancel"), atMs })),
  weighted(1, fc.record({ kind: kind("git-away"), atMs, forMs: upToS(30) })),
  weighted(3, fc.record({ kind: kind("cut"), atMs, node, forMs: upToS(90) })),
  weighted(
    2,
    fc.record({ kind: kind("lose"), atMs, node, returns: fc.constantFrom("late", "last") }),
  ),
  weighted(1, fc.record({ kind: kind("forget"), atMs })),
  weighted(1, fc.record({ kind: kind("drain"), atMs, node })),
  weighted(1, fc.record({ kind: kind("restore"), atMs })),
);
export type Fault = typeof faultArbitrary extends fc.Arbitrary<infer T> ? T : never;
export type FaultOf<K extends Fault["kind"]> = Extract<Fault, { kind: K }>;

const pushArbitrary = fc.record({
  atMs,
  node,
  behaviour: fc.oneof(
    weighted(4, fc.constant(BEHAVIOURS[0])),
    weighted(1, fc.constantFrom(...BEHAVIOURS)),
  ),
});
export type Push = typeof pushArbitrary extends fc.Arbitrary<infer T> ? T : never;

export interface Scenario {
  /** Of latencies and of choices within a fault. */
  readonly seed: number;
  /** A second container shares the first volume. */
  readonly isShared: boolean;
  readonly volumeCount: 1 | 2;
  /** What the volume's file says. */
  readonly onNodeLoss: "wait" | "restore";
  readonly pushes: readonly Push[];
  readonly faults: readonly Fault[];
}

const VOLUMES = ["data", "more"].map((name) => VolumeName.parse(name));

/** Of the application's container. What it takes is promised to be in each of them. */
export const volumesOf = ({ volumeCount }: Pick<Scenario, "volumeCount">): VolumeName[] =>
  VOLUMES.slice(0, volumeCount);

/** Without a snapshot a volume waits for its node: one that may go on has been deployed to twice. */
const EARLY: readonly Push[] = [
  { atMs: 1_000, node: "x", behaviour: "good" },
  { atMs: 12_000, node: "x", behaviour: "good" },
];

const drawn = fc.record({
  seed: fc.nat(),
  isShared: fc.boolean(),
  volumeCount: fc.constantFrom(1, 2),
  onNodeLoss: fc.constantFrom("wait", "restore"),
  pushes: fc.array(pushArbitrary, { minLength: 1, maxLength: 5, size: "max" }),
  faults: fc.array(faultArbitrary, { maxLength: 10, size: "max" }),
});

export const scenarioArbitrary: fc.Arbitrary<Scenario> = drawn.map((scenario) =>
  scenario.onNodeLoss === "wait"
    ? scenario
    : { ...scenario, pushes: [...EARLY, ...scenario.pushes] },
);

/** The scenario that a seed stands for. */
export const scenarioOf = (seed: number): Scenario => {
  const [scenario] = fc.sample(fc.noBias(scenarioArbitrary), { seed, numRuns: 1 });
  if (scenario === undefined) throw new Error(`seed ${seed} gives nothing`);
  return scenario;
};
