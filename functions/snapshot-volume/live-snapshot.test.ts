/** Snapshots outside deploys, from the node's disk to the record and on to the collector. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { listIndexes } from "../../adapters/node-disk.ts";
import { PENDING_PREFIX, volumePrefix } from "../../adapters/store-keys.ts";
import { testRoot } from "../../test/trees/test-settings.ts";
import { verifySnapshot } from "../../volume/verify.ts";
import type { VolumeSettings } from "../../workflows/container-spec.ts";
import { begin, DATA, two, until, WEB } from "../../workflows/deploy/given-deploys.ts";
import type { ProjectState } from "../../workflows/record.ts";
import { collectProject } from "../collect-garbage/collect-project.ts";
import { requestSnapshots } from "../request-snapshot.ts";
import { sweep } from "../sweep/sweep.ts";
import { takeLiveSnapshot } from "./live-snapshot.ts";
import {
  openSnapshotWorld,
  project,
  type SnapshotWorld,
  withSettings,
} from "./snapshot-world.fixture.ts";

const { signal } = new AbortController();
const EVERY_MS = 60_000;

const scheduled = (more: Partial<VolumeSettings> = {}): ProjectState =>
  withSettings({ snapshotEveryMs: EVERY_MS, ...more });

let world: SnapshotWorld;
beforeEach(() => {
  world = openSnapshotWorld(testRoot());
});
afterEach(() => world.close());

const take = () => takeLiveSnapshot(world.node, { project, volume: DATA, reported: null }, signal);
const volumeNow = async () => {
  const volume = (await world.load()).state.volumes[DATA];
  if (volume === undefined) throw new Error("there is no volume");
  return volume;
};
const pending = async () => {
  const keys: string[] = [];
  for await (const { key } of world.control.store.list(PENDING_PREFIX, signal)) keys.push(key);
  return keys;
};
const isWhole = async (snapshotId: string) => {
  const place = { store: world.control.store, prefix: volumePrefix(project, DATA), snapshotId };
  return (await verifySnapshot({ ...place, readData: true }, signal)).isWhole;
};
const collect = async () =>
  collectProject(world.control, (await world.load()).state, false, signal);

test("a volume with a schedule is snapshotted when it is due, and the next one is a delta", async () => {
  await world.open(scheduled());
  world.write("one");
  expect(await take()).toMatchObject({ kind: "reported" });
  await world.advance();
  const first = await volumeNow();
  expect(first).toMatchObject({ sequence: 1, head: { kind: "live", deployId: null, files: 1 } });
  expect(await take()).toMatchObject({ kind: "idle" });
  world.at.nowMs += EVERY_MS;
  world.write("two");
  expect(await take()).toMatchObject({ kind: "reported" });
  await world.advance();
  const second = await volumeNow();
  expect(second.snapshots).toHaveLength(2);
  for (const { id } of second.snapshots) expect(await isWhole(id)).toBe(true);
  expect(await pending()).toEqual([]);
});

test("of a volume in which nothing changed a schedule adds no restore point", async () => {
  await world.open(scheduled());
  world.write("one");
  await take();
  await world.advance();
  world.at.nowMs += EVERY_MS;
  expect(await take()).toMatchObject({ kind: "unchanged" });
  expect(world.at.hints).toEqual([]);
  expect((await volumeNow()).snapshots).toHaveLength(1);
});

test("when the message is lost the sweep finds the report", async () => {
  await world.open(scheduled());
  world.write("one");
  await take();
  world.at.hints = [];
  await sweep(world.control, signal);
  await world.advance();
  expect((await volumeNow()).head).not.toBeNull();
  expect(await pending()).toEqual([]);
});

test("before_snapshot is run in its container first, and what it does is in the snapshot", async () => {
  world.at.hook = { command: [], exitCode: 0, after: () => world.write("flushed") };
  await world.open(scheduled({ beforeSnapshot: ["flush"], beforeSnapshotIn: WEB }));
  world.write("one");
  await take();
  await world.advance();
  expect(world.at.hook?.command).toEqual(["flush"]);
  expect((await volumeNow()).head?.bytes).toBe("flushed".length);
});

test("a failing before_snapshot fails that snapshot, and says so in the record", async () => {
  world.at.hook = { command: [], exitCode: 7 };
  await world.open(scheduled({ beforeSnapshot: ["flush"], beforeSnapshotIn: WEB }));
  world.write("one");
  expect(await take()).toMatchObject({ kind: "reported" });
  await world.advance();
  const volume = await volumeNow();
  expect(volume.head).toBeNull();
  expect(volume.tries).toMatchObject([
    {
      snapshotId: null,
      failure: {
        code: "before-snapshot-failed",
        message: expect.stringMatching(/exit code 7 in container web: no database/),
      },
    },
  ]);
  // The next period tries again.
  expect(await take()).toMatchObject({ kind: "idle" });
  world.at.nowMs += EVERY_MS;
  world.at.hook = { command: [], exitCode: 0 };
  await take();
  await world.advance();
  expect((await volumeNow()).head).not.toBeNull();
});

test("a request is answered by a snapshot of its own, whatever the schedule says", async () => {
  await world.open(scheduled());
  world.write("one");
  await take();
  await world.advance();
  const request = { id: "r1", volumes: [], nowMs: world.at.nowMs };
  const requestId = await requestSnapshots(world.control, project, request, signal);
  await world.advance();
  expect((await volumeNow()).requests).toMatchObject([{ id: requestId }]);
  expect(await take()).toMatchObject({ kind: "reported" });
  await world.advance();
  const volume = await volumeNow();
  expect(volume.requests).toEqual([]);
  expect(volume.tries.at(-1)).toMatchObject({ requestIds: [requestId], failure: null });
  expect(volume.snapshots).toHaveLength(2);
});

test("what an abandoned attempt wrote is collected once the record has gone past it", async () => {
  await world.open(scheduled());
  world.write("one");
  await take();
  // Its agent was killed before the report: nothing but the objects is left of it.
  await world.control.store.delete(await pending(), signal);
  world.at.hints = [];
  const before = (await collect())[DATA];
  expect(before).toMatchObject({ deletedObjects: 0 });
  world.write("another");
  await take();
  await world.advance();
  const after = (await collect())[DATA];
  expect(after?.deletedObjects).toBeGreaterThanOrEqual(3);
  expect(await isWhole((await volumeNow()).head?.id ?? "")).toBe(true);
});

test("a restore point that the retention rule drops is collected, and the others stay whole", async () => {
  const keep = { last: 2, hourly: 0, daily: 0, weekly: 0, monthly: 0 };
  await world.open(scheduled({ keep }));
  for (const text of ["one", "two", "three", "four"]) {
    world.write(text);
    await take();
    await world.advance();
    world.at.nowMs += EVERY_MS;
  }
  const { snapshots } = await volumeNow();
  expect(snapshots).toHaveLength(2);
  const collected = (await collect())[DATA];
  expect(collected?.deletedObjects).toBeGreaterThanOrEqual(4);
  for (const { id } of snapshots) expect(await isWhole(id)).toBe(true);
});

test("a report that comes after a drain changes nothing, and no other is taken", async () => {
  await world.open(scheduled());
  world.write("one");
  await take();
  const loaded = await world.load();
  const draining = until(begin(loaded.state, "second", "b", two), "draining");
  expect(draining.deploy?.phase.name).toBe("draining");
  await world.control.records.save(project, loaded, draining, signal);
  await world.advance();
  expect((await volumeNow()).head).toBeNull();
  expect(await pending()).toEqual([]);
  expect(await take()).toEqual({ kind: "idle", due: null });
});

test("a drain aborts a snapshot that is being taken, and its volume is then free", async () => {
  await world.open(scheduled({ beforeSnapshot: ["flush"], beforeSnapshotIn: WEB }));
  world.write("one");
  world.at.hook = {
    command: [],
    exitCode: 0,
    after: () => world.node.copies.get(project)?.abort(new Error("the drain does not wait")),
  };
  await expect(take()).rejects.toThrow(/drain does not wait/);
  expect(world.node.copies.size).toBe(0);
  await world.node.locks.run(`copy ${project}`, async () => undefined);
  expect(await pending()).toEqual([]);
});

test("only the indexes that the next snapshot may need stay beside the data", async () => {
  await world.open(scheduled());
  for (const text of ["one", "two", "three", "four"]) {
    world.write(text);
    await take();
    await world.advance();
    world.at.nowMs += EVERY_MS;
  }
  expect((await listIndexes(world.at.copy)).length).toBeLessThanOrEqual(2);
});
