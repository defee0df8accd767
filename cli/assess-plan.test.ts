import { expect, test } from "vitest";
import { MeasureResult } from "../functions/measure-volume/measure-result.ts";
import { ContainerSpec } from "../workflows/container-spec.ts";
import type { Moves } from "../workflows/deploy/plan-deploy.ts";
import { ContainerName, VolumeName } from "../workflows/ids.ts";
import { NodeStatus } from "../workflows/placement/node-status.ts";
import { ContainerMove, ProjectState, SnapshotRef, VolumeMove } from "../workflows/record.ts";
import { assessPlan, nodesToAsk, type PlanFacts } from "./assess-plan.ts";
import { showPlan } from "./show-plan.ts";

const GIB = 2 ** 30;
const MIB = 2 ** 20;
const NOW = 10_000_000;
const HOUR_AGO = NOW - 3_600_000;
const head = SnapshotRef.parse({
  ...{ id: "snapshot-1", epoch: 1, takenAtMs: HOUR_AGO, digest: "d", files: 9, bytes: 12 * GIB },
  ...{ storedBytes: 5, kind: "final", stopped: "clean", deployId: null },
});
const state = ProjectState.parse({
  project: "shop",
  settings: { repository: "r", ref: "refs/heads/main", file: "F", nodes: [], constraints: [] },
  ...{ epochCounter: 1, commit: null, containers: {}, deploy: null, desired: null },
  ...{ history: [], endedAttempts: [] },
  volumes: {
    mes_data: {
      ...{ settings: { onNodeLoss: "wait" }, owner: "x", epoch: 1, origin: { kind: "empty" } },
      ...{ head, snapshots: [head], branches: [] },
    },
  },
});
const node = (name: string, diskFreeBytes: number, warmBytes?: number) =>
  NodeStatus.parse({
    ...{ node: name, bootId: "b", version: "1", address: "127.0.0.1", atMs: NOW, labels: {} },
    ...{ cpus: 2, memoryBytes: GIB, memoryReservedBytes: 0, diskFreeBytes, containerCount: 0 },
    ...{ ports: [], cordoned: false },
    warm:
      warmBytes === undefined
        ? []
        : [{ project: "shop", volume: "mes_data", epoch: 1, snapshotId: null, bytes: warmBytes }],
  });
const spec = ContainerSpec.parse({
  ...{ image: "a", environment: {}, ports: [], stopGracePeriodMs: 1, labels: {} },
  ...{ constraints: [], volumes: [] },
});
const web = ContainerName.parse("web");
const volume = VolumeName.parse("mes_data");
const fresh = VolumeName.parse("fresh");
const movesTo = (to: string | null): Moves => ({
  containers: {
    [web]: ContainerMove.parse({
      from: { spec, node: "x", epoch: 1, deployId: "0123456789ab" },
      to: to === null ? null : { spec, node: to },
    }),
  },
  volumes: {
    [volume]: VolumeMove.parse({
      ...{ settings: { onNodeLoss: "wait" }, from: { node: "x", epoch: 1 }, to, restore: null },
      ...{ copies: [], sealed: null, hydrated: null },
    }),
  },
});
const measured = MeasureResult.parse({
  ...{ project: "shop", requestId: "1750000000000-0123abcd", node: "x", atMs: NOW },
  diskFreeBytes: 1,
  volumes: {
    mes_data: {
      ...{ files: 10, bytes: Math.round(12.4 * GIB), dirtyFiles: 3, dirtyBytes: 84 * MIB },
      since: "snapshot-1",
    },
  },
});
const facts = (over: Partial<PlanFacts> = {}): PlanFacts => ({
  ...{ moves: movesTo("y"), state, nodes: [node("x", GIB), node("y", 80 * GIB)] },
  measures: new Map([[measured.node, measured]]),
  ...over,
});

const shown = (given: PlanFacts): string => showPlan(given.moves, assessPlan(given)).join("\n");

test("a move says what moves, what is dirty, the pause, and that there is room", () => {
  const assessment = assessPlan(facts());
  expect(assessment.volumes).toMatchObject([
    { volume: "mes_data", from: "x", to: "y", basis: "measured", fits: true },
  ]);
  expect(assessment.pauseMs).toBeGreaterThanOrEqual(1_500);
  expect(assessment.pauseMs).toBeLessThan(3_000);
  expect(shown(facts())).toBe(
    "  container web changes: x → y\n" +
      "  volume mes_data 12.4 GiB in 10 files, 84.0 MiB dirty, x → y, pause about 2 s, " +
      "12.7 GiB needed on y, 80.0 GiB free: ok",
  );
});

test("too little room is said, and a warm copy on the target needs less", () => {
  const small = facts({ nodes: [node("y", 2 * GIB)] });
  expect(assessPlan(small).volumes[0]?.fits).toBe(false);
  expect(shown(small)).toMatch(/12\.7 GiB needed on y, 2\.0 GiB free: TOO LITTLE$/);
  const warm = assessPlan(facts({ nodes: [node("y", 2 * GIB, 12 * GIB)] })).volumes[0];
  expect(warm).toMatchObject({ fits: true });
  expect(warm?.neededBytes).toBeLessThan(GIB);
});

test("a node that does not answer is named, and nothing is made up", () => {
  const silent = facts({ measures: new Map() });
  const assessment = assessPlan(silent);
  expect(assessment).toMatchObject({ pauseMs: null, silentNodes: ["x"] });
  expect(assessment.volumes[0]).toMatchObject({ basis: "snapshot", dirtyBytes: null });
  expect(shown(silent)).toMatch(/12\.0 GiB in 9 files when last sealed, x → y, 12\.3 GiB needed/);
  expect(shown(silent)).toContain("node x did not answer");
});

test("what stays or is detached needs no room; what is new is called so", () => {
  expect(shown(facts({ moves: movesTo("x") }))).toMatch(/stays on x, pause about 2 s$/);
  expect(shown(facts({ moves: movesTo(null) }))).toMatch(/detached from x, kept, pause about 2 s$/);
  const move = VolumeMove.parse({ ...movesTo("y").volumes[volume], from: null });
  const moves: Moves = { containers: {}, volumes: { [fresh]: move } };
  expect(shown(facts({ moves }))).toBe("  volume fresh is new on y");
  expect(nodesToAsk(moves)).toEqual([]);
  expect(assessPlan(facts({ moves })).pauseMs).toBeNull();
});
