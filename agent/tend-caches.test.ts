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
import type { ProjectState } from "../workflows/record.ts";
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
const DEADLINE = { timeout: 10_000 };

test("the newest copy stays as a cache, and to see that nothing else is there asks the store nothing", async () => {
  await makeSealed(11);
  await makeSealed(12);
  tender.tend(running, signal);
  await expect.poll(names, DEADLINE).toEqual(["sealed-e12"]);
  expect(loads).toBe(1);
  await ports.locks.run("stage p", async () => tender.tend(running, signal));
  await ports.locks.run("stage p", async () => undefined);
  expect(loads).toBe(1);
});

test("a deploy that has begun by then may be staging: nothing goes", async () => {
  await makeSealed(11);
  await makeSealed(12);
  recorded = begin(running, "second", "b", two);
  tender.tend(running, signal);
  await expect.poll(() => loads, DEADLINE).toBe(1);
  await ports.locks.run("stage p", async () => undefined);
  expect(await names()).toHaveLength(2);
});

test("29: a branch that was set aside is told of", async () => {
  recorded = lostInDrain;
  await makeSealed(1);
  tender.tend(recorded, signal);
  await expect.poll(() => told, DEADLINE).toEqual([recorded.project]);
  expect(await names()).toEqual(["branch-e1"]);
});
