/** The node's rules: what it does about what it sees, and what it refuses. */
import { expect, test } from "vitest";
import { type ContainerName, DeployId, Epoch, LeaseSession, VolumeName } from "../ids.ts";
import type { NodeAssignment, RunOrder } from "./assignment.ts";
import { isStartAllowed, type Observed, reconcile } from "./reconcile.ts";

const WEB = "web" as ContainerName;
const DATA = VolumeName.parse("data");
const epoch = (n: number) => Epoch.parse(n);

const order = (n: number, more: Partial<RunOrder> = {}): RunOrder => ({
  container: WEB,
  epoch: epoch(n),
  spec: {
    image: "i",
    environment: {},
    ports: [],
    stopGracePeriodMs: 1,
    labels: {},
    constraints: [],
    volumes: [],
  },
  gate: "open",
  mayHydrate: false,
  volumes: [{ name: DATA, epoch: epoch(n), origin: { kind: "empty" } }],
  leases: [],
  ...more,
});
const assigned = (run: RunOrder[], fence: number, steps: string[] = []): NodeAssignment => ({
  run,
  fences: { containers: { [WEB]: epoch(fence) }, volumes: { [DATA]: epoch(fence) } },
  steps: steps.map((step) => ({ deployId: DeployId.parse("deploy-1"), step })),
});
const nothing: Observed = { containers: [], directories: [], gates: [] };
const running = (n: number): Observed["containers"] => [
  { container: WEB, epoch: epoch(n), isRunning: true },
];
const gate = (n: number): Observed["gates"] => [{ container: WEB, epoch: epoch(n) }];
const live = (n: number): Observed["directories"] => [{ volume: DATA, epoch: epoch(n) }];
const kinds = (assignment: NodeAssignment, observed: Partial<Observed>) =>
  reconcile(assignment, { ...nothing, ...observed }).map(({ kind }) => kind);

test("after a reboot the node starts what it owns, and only then opens the gate", () => {
  expect(kinds(assigned([order(3)], 3), { directories: live(3) })).toEqual(["start", "open-gate"]);
});

test("what runs as ordered is left alone", () => {
  const seen = { containers: running(3), directories: live(3), gates: gate(3) };
  expect(kinds(assigned([order(3)], 3), seen)).toEqual([]);
});

test("a gate closes first: when its container died, and when the record no longer opens it", () => {
  const died = { directories: live(3), gates: gate(3) };
  expect(kinds(assigned([order(3)], 3), died)).toEqual(["close-gate", "start"]);
  const draining = { containers: running(3), directories: live(3), gates: gate(3) };
  expect(kinds(assigned([], 4, ["seal-e4"]), draining)).toEqual(["close-gate"]);
});

test("a gate that leads to an older epoch closes, and opens to the one that runs", () => {
  const seen = { containers: running(4), directories: live(4), gates: gate(3) };
  expect(kinds(assigned([order(4)], 4), seen)).toEqual(["close-gate", "open-gate"]);
});

test("before the commit only a step starts a container, and no gate opens", () => {
  const starting = order(4, { gate: "closed", mayHydrate: true });
  expect(kinds(assigned([starting], 4, ["start-e4"]), {})).toEqual([]);
});

test("without the lease nothing of a volume that may be failed over runs, and no gate opens", () => {
  const session = LeaseSession.parse(3);
  const guarded = assigned([order(3, { leases: [{ volume: DATA, session }] })], 3);
  const seen = { containers: running(3), directories: live(3) };
  expect(kinds(guarded, { ...seen, session })).toEqual(["open-gate"]);
  expect(kinds(guarded, { ...seen, session: null })).toEqual(["stop"]);
  expect(kinds(guarded, { ...seen, session: LeaseSession.parse(4) })).toEqual(["stop"]);
});

test("a stray container is stopped, and a directory that the node no longer owns is kept aside", () => {
  expect(kinds(assigned([], 4), { containers: running(3), directories: live(3) })).toEqual([
    "stop",
    "quarantine",
  ]);
});

test("an aborted drain goes on with the very directory it closed", () => {
  const back = order(4, {
    volumes: [{ name: DATA, epoch: epoch(4), origin: { kind: "local", epoch: epoch(3) } }],
  });
  const seen = { containers: running(3), directories: live(3), gates: gate(3) };
  expect(kinds(assigned([back], 4), seen)).toEqual(["close-gate", "stop", "start", "open-gate"]);
});

// The second abort named an epoch whose directory was never made, and the data became a branch.
test("after two aborted drains without a start between them, the data are still the volume's", () => {
  const back = order(5, {
    volumes: [{ name: DATA, epoch: epoch(5), origin: { kind: "local", epoch: epoch(3) } }],
  });
  expect(kinds(assigned([back], 5), { directories: live(3) })).toEqual(["start", "open-gate"]);
  expect(kinds(assigned([back], 5), { directories: live(4) })).toEqual(["start", "open-gate"]);
  expect(kinds(assigned([back], 5), { directories: live(2) })).toContain("quarantine");
});

test("24, 26: a start below its fence is refused, for the container and for each volume", () => {
  const fences = (container: number, volume: number) => ({
    containers: { [WEB]: epoch(container) },
    volumes: { [DATA]: epoch(volume) },
  });
  expect(isStartAllowed(order(3), fences(3, 3))).toBe(true);
  expect(isStartAllowed(order(3), fences(4, 3))).toBe(false);
  expect(isStartAllowed(order(3), fences(3, 4))).toBe(false);
  expect(isStartAllowed(order(3), { containers: {}, volumes: {} })).toBe(true);
});
