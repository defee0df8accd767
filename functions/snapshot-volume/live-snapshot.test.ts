/**
 * Snapshots outside deploys, from the node's disk to the record and on to the collector: the real
 * functions, engine and records over a store in memory; only Docker's answers are made up.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pino from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createKeyedLock } from "../../adapters/keyed-lock.ts";
import { linuxFileSystem } from "../../adapters/linux.ts";
import { unchanging } from "../../adapters/live-keys.ts";
import { dataPath, listIndexes, openNodeDisk } from "../../adapters/node-disk.ts";
import { openProjectRecords } from "../../adapters/project-records.ts";
import { PENDING_PREFIX, volumePrefix } from "../../adapters/store-keys.ts";
import { testRoot } from "../../test/trees/test-settings.ts";
import { createMemoryObjectStore } from "../../volume/memory-object-store.ts";
import { verifySnapshot } from "../../volume/verify.ts";
import { writeSnapshot } from "../../volume/write-snapshot.ts";
import {
  begin,
  DATA,
  NOW,
  running,
  two,
  until,
  WEB,
  X,
} from "../../workflows/deploy/given-deploys.ts";
import type { ProjectState } from "../../workflows/record.ts";
import { advanceProject } from "../advance-deploy/advance-project.ts";
import { collectProject } from "../collect-garbage/collect-project.ts";
import type { ControlPorts } from "../control-ports.ts";
import { ProjectHint } from "../messages.ts";
import type { NodePorts } from "../node-ports.ts";
import { requestSnapshots } from "../request-snapshot.ts";
import { sweep } from "../sweep/sweep.ts";
import { takeLiveSnapshot } from "./live-snapshot.ts";

const { signal } = new AbortController();
const project = running.project;
const EVERY_MS = 60_000;

let root: string;
let nowMs: number;
let hook: { command: readonly string[]; exitCode: number; after?: () => void } | null;
let hints: ProjectHint[];
let control: ControlPorts;
let node: NodePorts;
let copy: string;

/** As a deploy of a file with a schedule leaves it, but for the head: nothing was sealed yet. */
const scheduled = (more: object = {}): ProjectState => {
  const volume = running.volumes[DATA];
  if (volume === undefined) throw new Error("there is no volume");
  const settings = { ...volume.settings, snapshotEveryMs: EVERY_MS, ...more };
  return { ...running, volumes: { [DATA]: { ...volume, settings, head: null, snapshots: [] } } };
};

const open = async (state: ProjectState): Promise<void> => {
  await control.records.save(project, null, state, signal);
  copy = node.disk.pathOf(project, DATA, "live", state.volumes[DATA]?.epoch ?? (0 as never));
  mkdirSync(dataPath(copy), { recursive: true });
};

beforeEach(() => {
  root = mkdtempSync(join(testRoot(), "bagage-live-"));
  nowMs = NOW;
  hook = null;
  hints = [];
  const store = createMemoryObjectStore();
  const log = pino({ level: "silent" });
  const records = openProjectRecords({ store, nowMs: () => nowMs, newUuid: randomUUID });
  control = {
    ...{ store, records, log, newUuid: randomUUID, nowMs: () => nowMs },
    git: { resolve: async () => null },
    events: { post: async () => undefined, setCommitStatus: async () => undefined },
    send: async (queue, message) => {
      const hint = ProjectHint.safeParse(message);
      if (queue === "bagage-control" && hint.success) hints.push(hint.data);
    },
  };
  const docker: Pick<NodePorts["docker"], "exec"> = {
    exec: async ({ command }) => {
      const exitCode = hook?.exitCode ?? 0;
      if (hook !== null) hook.command = command;
      hook?.after?.();
      return { exitCode, output: exitCode === 0 ? "" : "no database", isTimedOut: false };
    },
  };
  const used: Partial<NodePorts> = {
    ...{ node: X, store, records, log, nowMs: () => nowMs },
    disk: openNodeDisk(root),
    docker: docker as NodePorts["docker"],
    volumes: {
      writeSnapshot: ({ onProgress: _onProgress, ...options }, either) =>
        writeSnapshot({ ...options, store, fileSystem: linuxFileSystem }, either),
    } as NodePorts["volumes"],
    locks: createKeyedLock(),
    copies: new Map(),
    wrappingKeys: unchanging([]),
    sendToControl: (message, either) => control.send("bagage-control", message, either),
    newToken: () => randomBytes(4).toString("hex"),
  };
  node = used as NodePorts;
});
afterEach(() => rmSync(root, { recursive: true }));

const take = () => takeLiveSnapshot(node, { project, volume: DATA, reported: null }, signal);
/** What control does with the hints that it got, or that the sweep sends again. */
const advance = async (): Promise<void> => {
  for (const { requestId, resend } of hints.splice(0)) {
    await advanceProject(control, { project, requestId, resend }, signal);
  }
};
const volumeNow = async () => {
  const volume = (await control.records.load(project, signal))?.state.volumes[DATA];
  if (volume === undefined) throw new Error("there is no volume");
  return volume;
};
const pending = async () => {
  const keys: string[] = [];
  for await (const { key } of control.store.list(PENDING_PREFIX, signal)) keys.push(key);
  return keys;
};
const write = (text: string): void => writeFileSync(join(dataPath(copy), "file"), text);
const isWhole = async (snapshotId: string) => {
  const place = { store: control.store, prefix: volumePrefix(project, DATA), snapshotId };
  return (await verifySnapshot({ ...place, readData: true }, signal)).isWhole;
};

const collect = async () => {
  const loaded = await control.records.load(project, signal);
  if (loaded === null) throw new Error("there is no project");
  return collectProject(control, loaded.state, false, signal);
};

test("a volume with a schedule is snapshotted when it is due, and the next one is a delta", async () => {
  await open(scheduled());
  write("one");
  expect(await take()).toMatchObject({ kind: "reported" });
  await advance();
  const first = await volumeNow();
  expect(first).toMatchObject({ sequence: 1, head: { kind: "live", deployId: null, files: 1 } });
  expect(await take()).toMatchObject({ kind: "idle" });
  nowMs += EVERY_MS;
  write("two");
  expect(await take()).toMatchObject({ kind: "reported" });
  await advance();
  const second = await volumeNow();
  expect(second.snapshots).toHaveLength(2);
  for (const { id } of second.snapshots) expect(await isWhole(id)).toBe(true);
  expect(await pending()).toEqual([]);
});

test("of a volume in which nothing changed a schedule adds no restore point", async () => {
  await open(scheduled());
  write("one");
  await take();
  await advance();
  nowMs += EVERY_MS;
  expect(await take()).toMatchObject({ kind: "unchanged" });
  expect(hints).toEqual([]);
  expect((await volumeNow()).snapshots).toHaveLength(1);
});

test("when the message is lost the sweep finds the report", async () => {
  await open(scheduled());
  write("one");
  await take();
  hints = [];
  await sweep(control, signal);
  await advance();
  expect((await volumeNow()).head).not.toBeNull();
  expect(await pending()).toEqual([]);
});

test("before_snapshot is run in its container first, and what it does is in the snapshot", async () => {
  hook = { command: [], exitCode: 0, after: () => write("flushed") };
  await open(scheduled({ beforeSnapshot: ["flush"], beforeSnapshotIn: WEB }));
  write("one");
  await take();
  await advance();
  expect(hook.command).toEqual(["flush"]);
  expect((await volumeNow()).head?.bytes).toBe("flushed".length);
});

test("a failing before_snapshot fails that snapshot, and says so in the record", async () => {
  hook = { command: [], exitCode: 7 };
  await open(scheduled({ beforeSnapshot: ["flush"], beforeSnapshotIn: WEB }));
  write("one");
  expect(await take()).toMatchObject({ kind: "reported" });
  await advance();
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
  nowMs += EVERY_MS;
  hook = { command: [], exitCode: 0 };
  await take();
  await advance();
  expect((await volumeNow()).head).not.toBeNull();
});

test("a request is answered by a snapshot of its own, whatever the schedule says", async () => {
  await open(scheduled());
  write("one");
  await take();
  await advance();
  const request = { id: "r1", volumes: [], nowMs };
  const requestId = await requestSnapshots(control, project, request, signal);
  await advance();
  expect((await volumeNow()).requests).toMatchObject([{ id: requestId }]);
  expect(await take()).toMatchObject({ kind: "reported" });
  await advance();
  const volume = await volumeNow();
  expect(volume.requests).toEqual([]);
  expect(volume.tries.at(-1)).toMatchObject({ requestIds: [requestId], failure: null });
  expect(volume.snapshots).toHaveLength(2);
});

test("what an abandoned attempt wrote is collected once the record has gone past it", async () => {
  await open(scheduled());
  write("one");
  await take();
  // Its agent was killed before the report: nothing but the objects is left of it.
  await control.store.delete(await pending(), signal);
  hints = [];
  const before = (await collect())[DATA];
  expect(before).toMatchObject({ deletedObjects: 0 });
  write("another");
  await take();
  await advance();
  const after = (await collect())[DATA];
  expect(after?.deletedObjects).toBeGreaterThanOrEqual(3);
  expect(await isWhole((await volumeNow()).head?.id ?? "")).toBe(true);
});

test("a restore point that the retention rule drops is collected, and the others stay whole", async () => {
  const keep = { last: 2, hourly: 0, daily: 0, weekly: 0, monthly: 0 };
  await open(scheduled({ keep }));
  for (const text of ["one", "two", "three", "four"]) {
    write(text);
    await take();
    await advance();
    nowMs += EVERY_MS;
  }
  const { snapshots } = await volumeNow();
  expect(snapshots).toHaveLength(2);
  const collected = (await collect())[DATA];
  expect(collected?.deletedObjects).toBeGreaterThanOrEqual(4);
  for (const { id } of snapshots) expect(await isWhole(id)).toBe(true);
});

test("a report that comes after a drain changes nothing, and no other is taken", async () => {
  await open(scheduled());
  write("one");
  await take();
  const loaded = await control.records.load(project, signal);
  if (loaded === null) throw new Error("there is no project");
  const draining = until(begin(loaded.state, "second", "b", two), "draining");
  expect(draining.deploy?.phase.name).toBe("draining");
  await control.records.save(project, loaded, draining, signal);
  await advance();
  expect((await volumeNow()).head).toBeNull();
  expect(await pending()).toEqual([]);
  expect(await take()).toEqual({ kind: "idle", due: null });
});

test("a drain aborts a snapshot that is being taken, and its volume is then free", async () => {
  await open(scheduled({ beforeSnapshot: ["flush"], beforeSnapshotIn: WEB }));
  write("one");
  hook = {
    command: [],
    exitCode: 0,
    after: () => node.copies.get(project)?.abort(new Error("the drain does not wait")),
  };
  await expect(take()).rejects.toThrow(/drain does not wait/);
  expect(node.copies.size).toBe(0);
  await node.locks.run(`copy ${project}`, async () => undefined);
  expect(await pending()).toEqual([]);
});

test("only the indexes that the next snapshot may need stay beside the data", async () => {
  await open(scheduled());
  for (const text of ["one", "two", "three", "four"]) {
    write(text);
    await take();
    await advance();
    nowMs += EVERY_MS;
  }
  expect((await listIndexes(copy)).length).toBeLessThanOrEqual(2);
});
