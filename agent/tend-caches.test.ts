import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createKeyedLock } from "../adapters/keyed-lock.ts";
import { openNodeDisk } from "../adapters/node-disk.ts";
import {
  begin,
  DATA,
  lostInDrain,
  NOW,
  running,
  two,
  X,
} from "../workflows/deploy/given-deploys.ts";
import { Epoch, type ProjectId, Revision, SnapshotId } from "../workflows/ids.ts";
import type { ProjectState, VolumeState } from "../workflows/record.ts";
import type { AgentPorts } from "./reconcile-project.ts";
import { type CacheTender, createCacheTender } from "./tend-caches.ts";

const { signal } = new AbortController();
let root: string;
let ports: AgentPorts;
let tender: CacheTender;
/** The record, as it is when it is read. */
let recorded: ProjectState;
let loads: number;
let told: ProjectId[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bagage-caches-"));
  loads = 0;
  told = [];
  recorded = running;
  const used: Partial<AgentPorts> = {
    ...{ node: X, disk: openNodeDisk(root), log: pino({ level: "silent" }) },
    locks: createKeyedLock(),
    records: {
      load: async () => {
        loads += 1;
        return { rev: Revision.parse(1), writeId: "w", state: recorded };
      },
    } as Partial<AgentPorts["records"]> as AgentPorts["records"],
  };
  ports = used as AgentPorts;
  tender = createCacheTender(ports, (project) => told.push(project));
});
afterEach(() => rmSync(root, { recursive: true }));

const makeSealed = async (epoch: number): Promise<void> => {
  const path = ports.disk.pathOf(running.project, DATA, "sealed", Epoch.parse(epoch));
  mkdirSync(join(path, "data"), { recursive: true });
  const snapshotId = SnapshotId.parse(`seal-of-${epoch}`);
  const marker = { snapshotId, digest: null, bytes: 1, files: 1, writtenAtMs: NOW + epoch };
  await ports.disk.writeMarker(path, marker);
};
const names = async () =>
  (await ports.disk.listCopies(running.project, DATA)).map(
    ({ role, epoch }) => `${role}-e${epoch}`,
  );

test("the newest copy stays as a cache, and to see that nothing else is there asks the store nothing", async () => {
  await makeSealed(11);
  await makeSealed(12);
  await tender.tend(running, signal);
  expect(await names()).toEqual(["sealed-e12"]);
  expect(loads).toBe(1);
  await tender.tend(running, signal);
  expect(loads).toBe(1);
});

test("a deploy that has begun by then may be staging: nothing goes", async () => {
  await makeSealed(11);
  await makeSealed(12);
  recorded = begin(running, "second", "b", two);
  await tender.tend(running, signal);
  expect(loads).toBe(1);
  expect(await names()).toHaveLength(2);
});

test("29: a branch that was set aside is told of", async () => {
  recorded = lostInDrain;
  await makeSealed(1);
  await tender.tend(recorded, signal);
  expect(told).toEqual([recorded.project]);
  expect(await names()).toEqual(["branch-e1"]);
});

/** x, to which the volume has come back from the head, under a new epoch. */
const ownedAgain = (state: ProjectState): ProjectState => {
  const volume = state.volumes[DATA] as VolumeState;
  const snapshotId = SnapshotId.parse("head-snapshot");
  const origin = { kind: "snapshot", snapshotId } as const;
  const back = { owner: X, epoch: Epoch.parse(7), origin };
  return { ...state, volumes: { ...state.volumes, [DATA]: { ...volume, ...back } } };
};
const makeCopy = (role: "sealed" | "live", epoch: number): void => {
  const path = ports.disk.pathOf(running.project, DATA, role, Epoch.parse(epoch));
  mkdirSync(join(path, "data"), { recursive: true });
};

// It waited there for the volume to move away, as a cache that could be dropped.
test("29: what a node sealed before it was given up is set aside, though it owns the volume again", async () => {
  recorded = ownedAgain(lostInDrain);
  makeCopy("sealed", 1);
  makeCopy("live", 7);
  await tender.tend(recorded, signal);
  expect(told).toEqual([recorded.project]);
  expect((await names()).sort()).toEqual(["branch-e1", "live-e7"]);
  await tender.tend(recorded, signal);
  expect(told).toHaveLength(1);
});

test("29: what it seals after that is its own", async () => {
  recorded = ownedAgain(lostInDrain);
  makeCopy("sealed", 7);
  await tender.tend(recorded, signal);
  expect(told).toEqual([]);
  expect(await names()).toEqual(["sealed-e7"]);
});
