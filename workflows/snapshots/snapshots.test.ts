import { describe, expect, test } from "vitest";
import { decide } from "../deploy/decide.ts";
import { duties } from "../deploy/duties.ts";
import { begin, DATA, given, NOW, running, two, until, X, Y } from "../deploy/given-deploys.ts";
import type { Input, SnapshotReport } from "../deploy/messages.ts";
import { Epoch, ProjectId, SnapshotId, VolumeName } from "../ids.ts";
import type { ProjectState, SnapshotRef } from "../record.ts";
import { liveWriter } from "./live-writer.ts";

const P = ProjectId.parse("p");
const volumeOf = (state: ProjectState) => {
  const volume = state.volumes[DATA];
  if (volume === undefined) throw new Error("there is no volume");
  return volume;
};
const snapshot = (id: string, more: Partial<SnapshotRef> = {}): SnapshotRef => ({
  id: SnapshotId.parse(id),
  epoch: volumeOf(running).epoch,
  takenAtMs: NOW,
  digest: id,
  files: 1,
  bytes: 1,
  storedBytes: 1,
  kind: "live",
  stopped: "running",
  deployId: null,
  ...more,
});

interface Told {
  readonly report?: Partial<SnapshotReport>;
  readonly parent?: string | null;
  readonly isWhole?: boolean;
}

/** What the owner would report of a snapshot taken on this state. */
const reported = (state: ProjectState, id: string, told: Told = {}): Input => ({
  type: "snapshot.reported",
  report: {
    project: P,
    volume: DATA,
    node: X,
    epoch: volumeOf(state).epoch,
    sequence: volumeOf(state).sequence,
    requestIds: [],
    atMs: NOW,
    snapshot: snapshot(id, { epoch: volumeOf(state).epoch }),
    failure: null,
    ...told.report,
  },
  parent: told.parent === undefined || told.parent === null ? null : SnapshotId.parse(told.parent),
  isWhole: told.isWhole ?? true,
  nowMs: NOW,
});
const requested = (id: string, volumes: string[] = []): Input => ({
  type: "snapshot.requested",
  requestId: id,
  volumes: volumes.map((name) => VolumeName.parse(name)),
  nowMs: NOW,
});
const ids = (state: ProjectState) => volumeOf(state).snapshots.map(({ id }) => id);

describe("a snapshot outside a deploy", () => {
  test("joins the restore points and becomes the head", () => {
    const state = given(running, reported(running, "live-0001"));
    expect(ids(state)).toEqual([...ids(running), "live-0001"]);
    expect(volumeOf(state)).toMatchObject({ head: { id: "live-0001" }, sequence: 1 });
    expect(decide(running, reported(running, "live-0001"))).toMatchObject({
      events: [{ type: "snapshot.taken", data: { snapshot: "live-0001", volume: DATA } }],
    });
  });
  test("counts once, however often it is reported", () => {
    const report = reported(running, "live-0001");
    expect(decide(given(running, report), report)).toEqual({ kind: "unchanged" });
  });
  test("is not taken up from a node that does not write the volume", () => {
    expect(decide(running, reported(running, "live-0001", { report: { node: Y } }))).toEqual({
      kind: "unchanged",
    });
  });
  test("is not taken up under an epoch that is over", () => {
    const late = reported(running, "live-0001");
    const moved = until(begin(running, "second", "b", two), null);
    expect(volumeOf(moved).owner).toBe(Y);
    expect(decide(moved, late)).toEqual({ kind: "unchanged" });
  });
  test("is taken up while a deploy copies, and not once it has drained", () => {
    const copying = begin(running, "second", "b", two);
    expect(ids(given(copying, reported(copying, "live-0001")))).toContain("live-0001");
    for (const phase of ["draining", "sealed", "starting"]) {
      const state = until(begin(running, "second", "b", two), phase);
      expect(state.deploy?.phase.name).toBe(phase);
      expect(liveWriter(state, DATA)).toBeNull();
      expect(decide(state, reported(state, "live-0001")).kind).toBe("unchanged");
    }
  });
  test("that is not whole in the store is refused and noted", () => {
    const state = given(running, reported(running, "live-0001", { isWhole: false }));
    expect(ids(state)).toEqual(ids(running));
    expect(volumeOf(state).tries).toMatchObject([
      { snapshotId: null, failure: { code: "not-whole" } },
    ]);
  });
  test("on a parent that is not retained any more is refused", () => {
    const known = given(running, reported(running, "live-0001"));
    const on = (parent: string) => given(known, reported(known, "live-0002", { parent }));
    expect(ids(on("live-0001"))).toContain("live-0002");
    expect(ids(on("live-0000"))).not.toContain("live-0002");
    expect(volumeOf(on("live-0000")).tries.at(-1)).toMatchObject({
      failure: { code: "parent-dropped" },
    });
  });
  test("ends its attempt also when it fails, so that what it wrote can be collected", () => {
    const failure = { code: "before-snapshot-failed", message: "exit code 1" };
    const told = { report: { snapshot: null, failure } };
    const decision = decide(running, reported(running, "live-0001", told));
    expect(decision).toMatchObject({
      kind: "changed",
      events: [{ type: "snapshot.failed", data: { code: "before-snapshot-failed" } }],
    });
    expect(volumeOf(given(running, reported(running, "live-0001", told)))).toMatchObject({
      sequence: 1,
      tries: [{ failure }],
      head: volumeOf(running).head,
    });
  });
  test("lets the retention rule drop older ones, but none that a running deploy may stand on", () => {
    const keep = { last: 1, hourly: 0, daily: 0, weekly: 0, monthly: 0 };
    const kept = {
      ...running,
      volumes: {
        [DATA]: { ...volumeOf(running), settings: { onNodeLoss: "wait" as const, keep } },
      },
    };
    const first = given(kept, reported(kept, "live-0001"));
    expect(ids(given(first, reported(first, "live-0002")))).toEqual(["live-0002"]);
    const copying = begin(first, "second", "b", two);
    expect(ids(given(copying, reported(copying, "live-0002")))).toEqual(["live-0001", "live-0002"]);
  });
});

describe("a request for a snapshot now", () => {
  test("is owed by the volume's owner until it is answered", () => {
    const state = given(running, requested("r1"));
    const owed = { kind: "snapshot", project: P, volume: DATA, node: X };
    expect(duties(state)).toEqual([owed, ...duties(running)]);
    const answered = given(state, reported(state, "live-0001", { report: { requestIds: ["r1"] } }));
    expect(duties(answered)).toEqual(duties(running));
    expect(volumeOf(answered).tries).toMatchObject([
      { requestIds: ["r1"], snapshotId: "live-0001" },
    ]);
    expect(decide(answered, requested("r1"))).toEqual({ kind: "unchanged" });
  });
  test("that came while a snapshot was taken is not answered by it", () => {
    const state = given(running, requested("r1"), requested("r2"));
    const next = given(state, reported(state, "live-0001", { report: { requestIds: ["r1"] } }));
    expect(volumeOf(next).requests).toMatchObject([{ id: "r2" }]);
  });
  test("is answered by the final snapshot of a deploy", () => {
    const state = given(begin(running, "second", "b", two), requested("r1"));
    const done = until(state, null);
    expect(volumeOf(done).requests).toEqual([]);
    expect(volumeOf(done).tries).toMatchObject([
      { requestIds: ["r1"], snapshotId: volumeOf(done).head?.id },
    ]);
  });
  test("of an unknown volume, or of one that nobody writes, is refused with a remedy", () => {
    expect(decide(running, requested("r1", ["other"]))).toMatchObject({
      kind: "refused",
      code: "unknown-volume",
    });
    const detached = given(running, { type: "node.lost", node: X, nowMs: NOW });
    expect(decide(detached, requested("r1", [DATA]))).toMatchObject({
      kind: "refused",
      code: "nothing-written",
    });
    expect(decide(detached, requested("r1"))).toMatchObject({ code: "nothing-written" });
  });
});

describe("a clone", () => {
  const by = { project: ProjectId.parse("q"), volume: VolumeName.parse("copy") };
  const [sealed = SnapshotId.parse("none-000")] = ids(until(begin(running, "b", "b", two), null));
  const source = { project: P, volume: DATA, snapshotId: sealed };
  const state = until(begin(running, "b", "b", two), null);

  test("pins what it refers to, once, and lets go of it", () => {
    const pin = { type: "snapshot.pinned" as const, volume: DATA, pin: { snapshotId: sealed, by } };
    const pinned = given(state, pin, pin);
    expect(volumeOf(pinned).pins).toEqual([{ snapshotId: sealed, by }]);
    const dropped = given(pinned, { type: "snapshot.unpinned", volume: DATA, by });
    expect(volumeOf(dropped).pins).toEqual([]);
  });
  test("can't pin what the retention rule has let go of", () => {
    const gone = { snapshotId: SnapshotId.parse("long-gone"), by };
    expect(decide(state, { type: "snapshot.pinned", volume: DATA, pin: gone })).toMatchObject({
      code: "unknown-snapshot",
    });
  });
  test("is a detached volume whose head is the snapshot, and never replaces a volume", () => {
    const cloned: Input = {
      type: "volume.cloned",
      volume: VolumeName.parse("copy"),
      snapshot: snapshot("clone-001", { epoch: Epoch.parse(0) }),
      source,
    };
    const next = given(state, cloned);
    expect(next.volumes[VolumeName.parse("copy")]).toMatchObject({
      owner: null,
      head: { id: "clone-001" },
      source,
    });
    expect(next.epochCounter).toBe(state.epochCounter + 1);
    expect(decide(next, cloned)).toEqual({ kind: "unchanged" });
    expect(decide(state, { ...cloned, volume: DATA })).toMatchObject({ code: "volume-exists" });
  });
});
