/** The rules of a deploy, each by its name: given a project, when something happens, then this. */
import { expect, test } from "vitest";
import { DeployId, SnapshotId, VolumeName } from "../ids.ts";
import { assignNode } from "../node/assignment.ts";
import type { ProjectState } from "../record.ts";
import { decide } from "./decide.ts";
import {
  begin,
  commit,
  DATA,
  FAILURE,
  given,
  NOW,
  one,
  projectOf,
  reportOf,
  request,
  resolved,
  running,
  spec,
  status,
  two,
  until,
  WEB,
  X,
  Y,
} from "./given-deploys.ts";
import type { Input } from "./messages.ts";

test("a first deploy starts with an empty volume, nothing to drain, and commits when healthy", () => {
  expect(running).toMatchObject({
    commit: commit("a"),
    deploy: null,
    containers: { web: { node: X, epoch: 1 } },
    volumes: { data: { owner: X, epoch: 1, origin: { kind: "empty" }, head: null } },
    history: [{ result: "deployed" }],
  });
});

test("a move copies, drains, seals, hydrates, starts and commits, each in its turn", () => {
  const moved = until(begin(running, "second", "b", two), null);
  expect(moved.history.at(-1)?.timeline.map(({ phase }) => phase)).toEqual([
    "copying 1",
    "copying 2",
    "draining",
    "sealed",
    "starting",
    "deployed",
  ]);
  const seal = moved.volumes[DATA]?.head?.id;
  expect(moved.volumes[DATA]).toMatchObject({
    owner: Y,
    epoch: 2,
    origin: { kind: "snapshot", snapshotId: seal },
  });
  expect(moved.containers[WEB]).toMatchObject({ node: Y, epoch: 2, spec: { image: "two" } });
});

const withPause = (maxPauseMs: number) => ({
  ...two,
  volumes: { [DATA]: { onNodeLoss: "wait" as const, maxPauseMs } },
});

test("a pause that does not fit max_pause ends the deploy before anything is stopped", () => {
  const refused = until(begin(running, "second", "b", withPause(1_000)), null);
  const ended = refused.history.at(-1);
  expect(ended).toMatchObject({ result: "failed", predictedPauseMs: 1_500 });
  expect(ended?.reason).toContain("a pause of 1.5 s is predicted, and max_pause is 1.0 s");
  expect(ended?.reason).toContain("--allow-longer-pause");
  expect(ended?.timeline.map(({ phase }) => phase)).not.toContain("draining");
  expect(refused.containers[WEB]).toMatchObject({ node: X, epoch: 1 });
  expect(until(begin(running, "second", "b", withPause(2_000)), null).history.at(-1)).toMatchObject(
    { result: "deployed", predictedPauseMs: 1_500 },
  );
});

test("on the user's word a deploy goes on with a pause that does not fit", () => {
  const asked = given(running, request("second", { allowLongerPause: true }));
  const going = given(asked, resolved("second", "b", withPause(1_000)));
  expect(until(going, null).history.at(-1)?.result).toBe("deployed");
});

test("a target that has staged a copy is not asked to hydrate again: it starts after the seal", () => {
  const copied = begin(running, "second", "b", two);
  const told = reportOf(given(copied, reportOf(copied)));
  if (told.type !== "report.received") throw new Error("no report");
  const snapshotId = SnapshotId.parse("staged-1");
  const counts = { files: 0, bytes: 0, fetchedBytes: 0, reusedBytes: 0, durationMs: 0 };
  const hydrate = { snapshotId, digest: "", ...counts };
  const report = { ...told.report, volumes: { [DATA]: { hydrate } } };
  const staged = given(copied, reportOf(copied), { ...told, report });
  const sealing = until(staged, "draining");
  const starting = given(sealing, reportOf(sealing));
  expect(starting.deploy).toMatchObject({
    phase: { name: "starting", awaits: [{ step: "start-e2", node: Y }] },
    volumes: { data: { prepared: { snapshotId } } },
  });
});

test("before the drain the old container serves; from then on nothing of it may start", () => {
  const copying = begin(running, "second", "b", two);
  expect(assignNode(copying, X).run).toMatchObject([{ epoch: 1, gate: "open" }]);
  const draining = until(copying, "draining");
  expect(assignNode(draining, X)).toMatchObject({
    run: [],
    fences: { volumes: { data: 2 }, containers: { web: 2 } },
  });
});

test("the new container's gate is closed until the commit", () => {
  const starting = until(begin(running, "second", "b", two), "starting");
  expect(assignNode(starting, Y).run).toMatchObject([
    { epoch: 2, gate: "closed", mayHydrate: true },
  ]);
  expect(assignNode(until(starting, null), Y).run).toMatchObject([
    { epoch: 2, gate: "open", mayHydrate: false },
  ]);
});

test("9: a seal whose objects were not all seen is no seal: the drain is aborted", () => {
  const draining = until(begin(running, "second", "b", two), "draining");
  const unseen = given(draining, { ...reportOf(draining), verifiedSnapshots: [] } as Input);
  expect(unseen).toMatchObject({
    deploy: null,
    containers: { web: { node: X, epoch: 2, spec: { image: "one" } } },
    volumes: { data: { owner: X, epoch: 2, origin: { kind: "local", epoch: 1 }, head: null } },
    history: [{}, { result: "aborted" }],
  });
});

test("a drain aborted again goes on from where the first one began: nothing may have been renamed", () => {
  const abort = (state: ProjectState, id: string, letter: string) => {
    const draining = until(begin(state, id, letter, two), "draining");
    return given(draining, reportOf(draining, FAILURE));
  };
  const twice = abort(abort(running, "second", "b"), "third", "c");
  expect(twice.volumes[DATA]).toMatchObject({ epoch: 3, origin: { kind: "local", epoch: 1 } });
});

test("31, 33: an unhealthy version is stopped first, then the old one starts on the sealed data", () => {
  const starting = until(begin(running, "second", "b", two), "starting");
  const sealed = starting.volumes[DATA]?.head?.id;
  const unstarting = given(starting, reportOf(starting, FAILURE));
  expect(unstarting.deploy?.phase).toMatchObject({
    name: "unstarting",
    epoch: 3,
    awaits: [{ node: Y }],
  });
  expect(assignNode(unstarting, X).run).toEqual([]);
  const returning = given(unstarting, reportOf(unstarting));
  expect(returning.deploy?.phase).toMatchObject({
    name: "returning",
    epoch: 3,
    awaits: [{ node: X }],
  });
  expect(returning.volumes[DATA]).toMatchObject({
    owner: X,
    origin: { kind: "snapshot", snapshotId: sealed },
  });
  const back = given(returning, reportOf(returning));
  expect(back.history.at(-1)).toMatchObject({ result: "rolled-back", reason: "y: it broke" });
  expect(back.containers[WEB]).toMatchObject({ node: X, epoch: 3, spec: { image: "one" } });
});

test("a hydrate that fails needs no unstart: the old version returns at once", () => {
  const sealed = until(begin(running, "second", "b", two), "sealed");
  expect(given(sealed, reportOf(sealed, FAILURE)).deploy?.phase).toMatchObject({
    name: "returning",
  });
});

test("a deadline asks for the way back, and moves nothing where there is none", () => {
  const late: Input = { type: "time.passed", nowMs: NOW * 1_000_000 };
  const copying = begin(running, "second", "b", two);
  expect(given(copying, late).history.at(-1)?.result).toBe("failed");
  expect(given(until(copying, "draining"), late).history.at(-1)?.result).toBe("aborted");
  const starting = until(copying, "starting");
  const unstarting = given(starting, late);
  expect(unstarting.deploy?.phase.name).toBe("unstarting");
  expect(decide(unstarting, late)).toEqual({ kind: "unchanged" });
});

test("cancelling works until the seal, and says so after it", () => {
  const copying = begin(running, "second", "b", two);
  const deployId = copying.deploy?.id ?? DeployId.parse("deploy-none");
  const cancel: Input = { type: "deploy.cancelled", deployId, nowMs: NOW };
  expect(given(copying, cancel).history.at(-1)?.result).toBe("cancelled");
  expect(given(until(copying, "draining"), cancel).history.at(-1)?.result).toBe("cancelled");
  expect(decide(until(copying, "sealed"), cancel)).toMatchObject({
    kind: "refused",
    code: "past-seal",
  });
});

test("17: a newer commit supersedes a deploy that copies, and waits for one that drains", () => {
  const three = projectOf({ [WEB]: spec("three", Y) });
  const copying = begin(running, "second", "b", two);
  expect(begin(copying, "third", "c", three)).toMatchObject({
    deploy: { commit: commit("c") },
    history: [{}, { result: "superseded" }],
  });
  const draining = begin(until(copying, "draining"), "third", "c", three);
  expect(draining).toMatchObject({
    deploy: { commit: commit("b") },
    desired: { requestId: "third" },
  });
});

test("12, 19: repeated, late and foreign reports and requests change nothing", () => {
  const copying = begin(running, "second", "b", two);
  const report = reportOf(copying);
  const after = given(copying, report);
  expect(decide(after, report)).toEqual({ kind: "unchanged" });
  expect(decide(running, report)).toEqual({ kind: "unchanged" });
  expect(decide(copying, request("second"))).toEqual({ kind: "unchanged" });
  expect(decide(until(copying, null), request("first"))).toEqual({ kind: "unchanged" });
});

test("a volume that leaves the file is sealed, detached and kept", () => {
  const bare = projectOf({ [WEB]: spec("one", X, []) });
  const without = until(begin(running, "second", "b", bare), null);
  expect(without.volumes[DATA]).toMatchObject({ owner: null, head: { stopped: "clean" } });
});

test("29: data on a silent node are waited for; only the operator's word gives them up", () => {
  const input = resolved("second", "b", two);
  const silent = input.type === "deploy.resolved" ? { ...input, nodes: [status(Y)] } : input;
  const refused = given(running, request("second"), silent);
  expect(refused.history.at(-1)).toMatchObject({
    result: "failed",
    reason: expect.stringContaining("node x holds"),
  });
  const lost = given(running, { type: "node.lost", node: X, nowMs: NOW });
  expect(lost).toMatchObject({ containers: {}, volumes: { data: { owner: null, epoch: 2 } } });
});

test("42: epochs only grow, over aborts, roll-backs and lost nodes", () => {
  let state = running;
  let last = 0;
  for (const [id, letter] of [
    ["a2", "b"],
    ["a3", "c"],
    ["a4", "d"],
  ] as const) {
    const starting = until(
      begin(state, id, letter, projectOf({ [WEB]: spec(letter, Y) })),
      "starting",
    );
    state = until(given(starting, reportOf(starting, FAILURE)), null);
    expect(state.epochCounter).toBeGreaterThan(last);
    last = state.epochCounter;
  }
});

test("an inbox that is asked for starts anew what mounts the volume, though nothing changed", () => {
  const ask = (volume: string) =>
    given(
      running,
      request("take", { take: [VolumeName.parse(volume)] }),
      resolved("take", "a", one),
    ).history.at(-1);
  expect(ask("another")?.result).toBe("unchanged");
  const asked = given(running, request("take", { take: [DATA] }), resolved("take", "a", one));
  const ended = until(asked, null);
  expect(ended.history.at(-1)?.result).toBe("deployed");
  expect(ended.containers[WEB]).toMatchObject({ node: X });
  expect(ended.containers[WEB]?.epoch).toBeGreaterThan(1);
});
