import { expect, test } from "vitest";
import type { ContainerSpec } from "../container-spec.ts";
import {
  begin,
  DATA,
  given,
  NOW,
  start,
  status,
  until,
  WEB,
  X,
  Y,
} from "../deploy/given-deploys.ts";
import { NodeId, SnapshotId } from "../ids.ts";
import { owedStandbys } from "../node/owed-standbys.ts";
import type { ProjectState } from "../record.ts";
import { HEARTBEAT_STALE_MS } from "./choose-node.ts";
import type { NodeStatus } from "./node-status.ts";

const Z = NodeId.parse("z");
const app = (image: string, more: Partial<ContainerSpec> = {}): ContainerSpec => ({
  ...{ image, environment: {}, ports: [], stopGracePeriodMs: 1_000, labels: {}, constraints: [] },
  volumes: [{ name: DATA, path: "/data", readOnly: false }],
  ...more,
});
const project = (
  image: string,
  standby: number | undefined,
  more: Partial<ContainerSpec> = {},
) => ({
  containers: { [WEB]: app(image, more) },
  volumes: { [DATA]: { onNodeLoss: "wait" as const, ...(standby !== undefined && { standby }) } },
});
const deployed = (standby: number | undefined, more: Partial<ContainerSpec> = {}) =>
  until(begin(start, "first", "a", project("one", standby, more)), null);
const see = (state: ProjectState, ...nodes: NodeStatus[]) =>
  given(state, { type: "nodes.seen", nodes, nowMs: NOW });
const standbysOf = (state: ProjectState) => state.volumes[DATA]?.standbys;
const all = [status(X), status(Y), status(Z)];

test("a volume without the setting has no standby", () => {
  const state = deployed(undefined);
  expect(see(state, ...all)).toBe(state);
});

test("so many nodes as asked for, never the owner", () => {
  expect(standbysOf(see(deployed(1), ...all))).toEqual([Y]);
  expect(standbysOf(see(deployed(2), ...all))).toEqual([Y, Z]);
  expect(standbysOf(see(deployed(3), ...all))).toEqual([Y, Z]);
});

test("a standby stays while it serves, and is replaced when it falls silent", () => {
  const state = see(deployed(1), status(X), status(Z));
  expect(standbysOf(state)).toEqual([Z]);
  expect(see(state, ...all)).toBe(state);
  const silent = { ...status(Z), atMs: NOW - HEARTBEAT_STALE_MS - 1 };
  expect(standbysOf(see(state, status(X), status(Y), silent))).toEqual([Y]);
});

test("where the containers could not run there is no standby", () => {
  const more = { constraints: [{ subject: "id", key: "id", operator: "==", value: "x" } as const] };
  expect(standbysOf(see(deployed(1, more), ...all))).toEqual([]);
  expect(standbysOf(see(deployed(1), { ...status(Y), cordoned: true }, status(X)))).toEqual([]);
});

test("a setting that is taken back ends it", () => {
  const state = see(deployed(1), ...all);
  const without = {
    ...state,
    volumes: { [DATA]: { ...state.volumes[DATA], settings: { onNodeLoss: "wait" } } },
  } as ProjectState;
  expect(standbysOf(see(without, ...all))).toEqual([]);
});

test("a deploy that must leave the node goes to the standby, and another node becomes it", () => {
  const onX = see(deployed(1), status(X), status(Z));
  const busy = { ...status(Z), containerCount: 9 };
  const leaving = given(
    onX,
    {
      type: "deploy.requested",
      request: {
        ...{ requestId: "drain", deployId: "deploy-drain" as never, trigger: "drain" },
        ...{ ref: "refs/heads/main", avoid: [X], force: false, restore: {}, acceptLoss: false },
        requestedAtMs: NOW,
      },
    },
    {
      ...{ type: "deploy.resolved", requestId: "drain", commit: "b".repeat(40) as never },
      ...{ subject: "s", spec: project("one", 1), nodes: [status(X), status(Y), busy], nowMs: NOW },
    },
  );
  expect(leaving.deploy?.containers[WEB]?.to?.node).toBe(Z);
  expect(see(leaving, ...all)).toBe(leaving);
  const moved = until(leaving, null);
  expect(moved.volumes[DATA]?.owner).toBe(Z);
  expect(standbysOf(see(moved, ...all))).toEqual([X]);
});

test("a standby owes the head, and nothing while a deploy runs", () => {
  const state = see(deployed(1), ...all);
  const head = { id: SnapshotId.parse("snapshot-1"), bytes: 1 } as never;
  const volume = { ...state.volumes[DATA], head } as never;
  const headed: ProjectState = { ...state, volumes: { [DATA]: volume } };
  expect(owedStandbys(headed, Y)).toEqual([{ volume: DATA, snapshotId: "snapshot-1" }]);
  expect(owedStandbys(headed, X)).toEqual([]);
  expect(owedStandbys(headed, Z)).toEqual([]);
  const deploying = begin(headed, "second", "b", project("two", 1));
  expect(deploying.deploy).not.toBeNull();
  expect(owedStandbys(deploying, Y)).toEqual([]);
});
