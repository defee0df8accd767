/** Node loss, rule by rule: what waits, what goes on elsewhere, and what a late sign of life finds. */
import { expect, test } from "vitest";
import type { ProjectSpec } from "../container-spec.ts";
import { DeployId, LeaseSession, type NodeId, VolumeName } from "../ids.ts";
import { assignNode } from "../node/assignment.ts";
import { isLeaseGood, reconcile } from "../node/reconcile.ts";
import type { ProjectState } from "../record.ts";
import { decide } from "./decide.ts";
import {
  begin,
  commit,
  DATA,
  FAILURE,
  given,
  NOW,
  projectOf,
  reportOf,
  running,
  spec,
  start,
  status,
  until,
  WEB,
  X,
  Y,
} from "./given-deploys.ts";
import type { Input } from "./messages.ts";

const session = (n: number) => LeaseSession.parse(n);
const anywhere = (image: string) => ({ ...spec(image, X), constraints: [] });
const restoring = (project: ProjectSpec): ProjectSpec => ({
  ...project,
  volumes: { [DATA]: { onNodeLoss: "restore" } },
});
const one = restoring(projectOf({ [WEB]: anywhere("one") }));
const two = restoring(projectOf({ [WEB]: anywhere("two") }));
const three = restoring(projectOf({ [WEB]: spec("three", Y) }));

/** Reports as its node would, whose guard watches under the session. */
const report = (state: ProjectState, n: number): ProjectState => {
  const input = reportOf(state);
  if (input.type !== "report.received") throw new Error("no report");
  return given(state, { ...input, report: { ...input.report, lease: session(n) } });
};
const untilPhase = (state: ProjectState, phase: string | null, n = 1): ProjectState => {
  let current = state;
  while (current.deploy !== null && current.deploy.phase.name !== phase)
    current = report(current, n);
  return current;
};
const expired = (node: NodeId, n: number, nodes = [status(Y)]): Input => ({
  type: "lease.expired",
  node,
  session: session(n),
  nowMs: NOW + 90_000,
  replacement: {
    requestId: `failover-${node}-${n}`,
    deployId: DeployId.parse(`failover-${node}-${n}`),
    nodes: nodes.map((node) => ({ ...node, atMs: NOW + 90_000 })),
  },
});

/** Version two on x with a sealed head, watched by session 1 of its lease. */
const serving = untilPhase(
  begin(untilPhase(begin(start, "first", "a", one), null), "second", "b", two),
  null,
);

test("a volume that may be restored knows the session of its owner's lease", () => {
  expect(serving.volumes[DATA]).toMatchObject({ owner: X, epoch: 2, lease: 1 });
  expect(serving.volumes[DATA]?.head).not.toBeNull();
});

test("the session of one owner says nothing of the next, who begins without any", () => {
  const starting = untilPhase(begin(serving, "third", "c", three), "starting");
  expect(starting.volumes[DATA]).toMatchObject({ owner: Y, lease: null });
});

test("29: at the end of the session another node goes on from the head; the loss is on record", () => {
  const lost = given(serving, expired(X, 1, [status(X), status(Y)]));
  expect(lost).toMatchObject({
    epochCounter: 3,
    containers: {},
    volumes: {
      data: {
        owner: null,
        epoch: 3,
        lease: null,
        losses: [{ node: X, epoch: 2, acceptedBy: "on_node_loss: restore", windowMs: 90_000 }],
      },
    },
    deploy: { id: "failover-x-1", commit: commit("b"), request: { trigger: "failover" } },
  });
  const over = untilPhase(lost, null, 7);
  expect(over.containers[WEB]).toMatchObject({ node: Y, epoch: 4, spec: { image: "two" } });
  expect(over.volumes[DATA]).toMatchObject({
    owner: Y,
    epoch: 4,
    lease: 7,
    origin: { kind: "snapshot", snapshotId: serving.volumes[DATA]?.head?.id },
  });
});

test("29: the lost node's data are kept aside when it returns, and it starts nothing", () => {
  const over = untilPhase(given(serving, expired(X, 1)), null, 7);
  const back = assignNode(over, X);
  expect(back.run).toEqual([]);
  const epoch = serving.volumes[DATA]?.epoch ?? start.epochCounter;
  const seen = { containers: [], gates: [], directories: [{ volume: DATA, epoch }] };
  expect(reconcile(back, { ...seen, session: session(2) })).toEqual([
    { kind: "quarantine", volume: DATA, epoch },
  ]);
});

test("by default the volume waits, and so do those that share a container with one that waits", () => {
  const waiting = until(begin(running, "second", "b", projectOf({ [WEB]: spec("two", X) })), null);
  expect(decide(waiting, expired(X, 1)).kind).toBe("unchanged");
  const other = VolumeName.parse("other");
  const shared = { ...anywhere("one"), volumes: spec("one", X, [DATA, other]).volumes };
  const mixed = { ...one, containers: { [WEB]: shared } };
  const state = untilPhase(begin(start, "first", "a", mixed), null);
  expect(decide(state, expired(X, 1)).kind).toBe("unchanged");
});

test("a volume without any snapshot waits: it must never begin empty by itself", () => {
  const fresh = untilPhase(begin(start, "first", "a", one), null);
  expect(fresh.volumes[DATA]).toMatchObject({ owner: X, lease: 1, head: null });
  expect(decide(fresh, expired(X, 1)).kind).toBe("unchanged");
});

test("the end of a session that the record does not know takes nothing away", () => {
  expect(decide(serving, expired(X, 2)).kind).toBe("unchanged");
  const resumed = given(serving, {
    type: "lease.held",
    node: X,
    session: session(2),
    volumes: [DATA],
  });
  expect(resumed.volumes[DATA]?.lease).toBe(2);
  expect(decide(resumed, expired(X, 1)).kind).toBe("unchanged");
  expect(given(resumed, expired(X, 2)).volumes[DATA]?.owner).toBeNull();
});

test("only the owner's guard counts, and no session is forgotten for an older one", () => {
  const held = (node: NodeId, n: number, volumes: VolumeName[] = [DATA]): Input => ({
    type: "lease.held",
    node,
    session: session(n),
    volumes,
  });
  expect(decide(serving, held(Y, 9)).kind).toBe("unchanged");
  expect(decide(serving, held(X, 9, [])).kind).toBe("unchanged");
  expect(decide(given(serving, held(X, 9)), held(X, 8)).kind).toBe("unchanged");
});

test("where no node fits, the volume stays with its own, which may come back", () => {
  expect(decide(serving, expired(X, 1, []))).toMatchObject({
    kind: "refused",
    code: "failover-impossible",
  });
});

test("30: under a new session nothing leased runs until the record knows it", () => {
  const [order] = assignNode(serving, X).run;
  if (order === undefined) throw new Error("nothing runs");
  expect(isLeaseGood(order, session(1))).toBe(true);
  expect(isLeaseGood(order, session(2))).toBe(false);
  expect(isLeaseGood(order, null)).toBe(false);
  const kinds = (n: number | null) =>
    reconcile(assignNode(serving, X), {
      containers: [{ container: WEB, epoch: order.epoch, isRunning: true }],
      gates: [{ container: WEB, epoch: order.epoch }],
      directories: [],
      session: n === null ? null : session(n),
    }).map(({ kind }) => kind);
  expect(kinds(1)).toEqual([]);
  expect(kinds(2)).toEqual(["close-gate", "stop"]);
  expect(kinds(null)).toEqual(["close-gate", "stop"]);
});

test("29: a source that dies in the drain: aborted, then restored elsewhere, or waited for", () => {
  const draining = untilPhase(begin(serving, "third", "c", three), "draining");
  const lost = given(draining, expired(X, 1));
  expect(lost.history.at(-1)?.result).toBe("aborted");
  expect(lost.deploy).toMatchObject({ id: "failover-x-1", commit: commit("b") });
  const waiting = until(
    begin(running, "second", "b", projectOf({ [WEB]: spec("two", Y) })),
    "draining",
  );
  const aborted = given(waiting, expired(X, 1));
  expect(aborted).toMatchObject({ deploy: null, containers: { web: { node: X } } });
});

test("31: a target that dies while starting is not waited for; the old version starts again", () => {
  const starting = untilPhase(begin(serving, "third", "c", three), "starting");
  const forbidden = given(starting, expired(Y, 4));
  expect(forbidden.deploy?.phase).toMatchObject({ name: "unstarting", awaits: [{ node: Y }] });
  const returning = given(forbidden, expired(Y, 4));
  expect(returning.deploy?.phase).toMatchObject({ name: "returning", awaits: [{ node: X }] });
  // Each look of the sweep once wrote a revision that said nothing new.
  expect(decide(returning, expired(Y, 4)).kind).toBe("unchanged");
  const back = untilPhase(returning, null, 1);
  expect(back.containers[WEB]).toMatchObject({ node: X, spec: { image: "two" } });
  expect(back.volumes[DATA]).toMatchObject({ owner: X, lease: 1, losses: [] });
});

test("31: when the old node is gone as well, a third one goes on from the sealed data", () => {
  const starting = untilPhase(begin(serving, "third", "c", three), "starting");
  const returning = given(starting, reportOf(starting, FAILURE));
  const named = given(report(returning, 4), expired(X, 1, [status(Y)]));
  expect(named).toMatchObject({ deploy: { phase: { name: "returning", awaits: [{ node: X }] } } });
  const alone = given(named, expired(X, 1, [status(Y)]));
  expect(alone.history.at(-1)?.result).toBe("rolled-back");
  expect(alone.deploy).toMatchObject({ id: "failover-x-1" });
  const over = untilPhase(alone, null, 5);
  expect(over.volumes[DATA]).toMatchObject({
    owner: Y,
    origin: { kind: "snapshot", snapshotId: starting.volumes[DATA]?.head?.id },
  });
});

// The deploy ended without it, and the node, back with its sealed data, had no right to start from them.
test("31: when the old node is silent and no third one fits, its return is waited for", () => {
  const starting = untilPhase(begin(serving, "third", "c", three), "starting");
  const returning = given(starting, expired(Y, 1, []), expired(Y, 1, []));
  expect(returning.deploy?.phase.name).toBe("returning");
  const named = given(returning, expired(X, 1, []));
  expect(named).toMatchObject({ deploy: returning.deploy });
  expect(given(named, expired(X, 1, []))).toEqual(named);
  const back = assignNode(named, X);
  expect(back).toMatchObject({ run: [{ mayHydrate: true }], steps: [{ step: "return-e4" }] });
});

// It may have begun a session of its lease after that was looked at, and go by the record of then.
test("31: what a node might start under a new session is forbidden first, and given away after that", () => {
  const starting = untilPhase(begin(serving, "third", "c", three), "starting");
  const forbidden = given(starting, expired(Y, 4));
  expect(assignNode(starting, Y).run).toHaveLength(1);
  expect([assignNode(forbidden, X).run, assignNode(forbidden, Y).run]).toEqual([[], []]);
  const returning = given(starting, reportOf(starting, FAILURE));
  const named = given(report(returning, 4), expired(X, 1));
  const [order] = assignNode(named, X).run;
  if (order === undefined) throw new Error("x has nothing to return");
  expect([isLeaseGood(order, session(1)), isLeaseGood(order, session(2))]).toEqual([true, false]);
  const held: Input = { type: "lease.held", node: X, session: session(2), volumes: [DATA] };
  const [again] = assignNode(given(named, held), X).run;
  if (again === undefined) throw new Error("x has nothing to return");
  expect(isLeaseGood(again, session(2))).toBe(true);
});

test("an operator's word gives up what waits, too, and keeps who said so", () => {
  const waiting = until(begin(running, "second", "b", projectOf({ [WEB]: anywhere("two") })), null);
  const { replacement } = expired(X, 1) as Extract<Input, { type: "lease.expired" }>;
  const lost = given(waiting, {
    type: "node.lost",
    node: X,
    nowMs: NOW,
    acceptedBy: "ada",
    replacement,
  });
  expect(lost.volumes[DATA]?.losses).toMatchObject([{ acceptedBy: "ada", node: X }]);
  expect(until(lost, null).containers[WEB]?.node).toBe(Y);
});

test("a project file that says wait again takes the record's word for the lease back", () => {
  const waits = { ...two, volumes: { [DATA]: { onNodeLoss: "wait" as const } } };
  const state = begin(serving, "third", "c", waits);
  expect(state.volumes[DATA]).toMatchObject({ lease: null, settings: { onNodeLoss: "wait" } });
});
