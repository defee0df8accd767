/** Warm copies on a real disk: brought by the real engine, kept within the budget. */
import { randomBytes, randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pino from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createKeyedLock } from "../adapters/keyed-lock.ts";
import { linuxFileSystem } from "../adapters/linux.ts";
import { unchanging } from "../adapters/live-keys.ts";
import { openNodeDisk } from "../adapters/node-disk.ts";
import { openProjectRecords } from "../adapters/project-records.ts";
import { volumePrefix } from "../adapters/store-keys.ts";
import { warmVolume } from "../functions/warm-volume/warm-volume.ts";
import { testRoot } from "../test/trees/test-settings.ts";
import { hydrate } from "../volume/hydrate/hydrate.ts";
import { createMemoryObjectStore } from "../volume/memory-object-store.ts";
import { writeSnapshot } from "../volume/write-snapshot.ts";
import { begin, DATA, NOW, running, two, X, Y } from "../workflows/deploy/given-deploys.ts";
import { ProjectId, SnapshotId } from "../workflows/ids.ts";
import type { ProjectState, VolumeState } from "../workflows/record.ts";
import { evictCaches } from "./keep-cache-budget.ts";
import type { AgentPorts } from "./reconcile-project.ts";

const { signal } = new AbortController();
const MIB = 2 ** 20;

let root: string;
let nowMs: number;
let ports: AgentPorts;

beforeEach(() => {
  root = mkdtempSync(join(testRoot(), "bagage-warm-"));
  nowMs = NOW;
  const store = createMemoryObjectStore();
  const used: Partial<AgentPorts> = {
    ...{ node: Y, store, log: pino({ level: "silent" }), nowMs: () => nowMs },
    records: openProjectRecords({ store, nowMs: () => nowMs, newUuid: randomUUID }),
    disk: openNodeDisk(join(root, "node")),
    volumes: {
      hydrate: ({ onProgress: _onProgress, ...options }, either) =>
        hydrate({ ...options, store, fileSystem: linuxFileSystem }, either),
    } as AgentPorts["volumes"],
    ...{ locks: createKeyedLock(), warmings: new Map(), wrappingKeys: unchanging([]) },
  };
  ports = used as AgentPorts;
  mkdirSync(join(root, "node", "volumes"), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true }));

const source = (name: string) => join(root, `source-${name}`);

/** Another node's volume of a MiB, with a snapshot as its head. */
const snapshotOf = async (name: string, state: ProjectState): Promise<ProjectState> => {
  const project = ProjectId.parse(name);
  const volume = state.volumes[DATA] as VolumeState;
  const parent = volume.head?.kind === "live" ? volume.head.id : null;
  const id = SnapshotId.parse(`live-${randomBytes(4).toString("hex")}`);
  const written = await writeSnapshot(
    {
      ...{ store: ports.store, fileSystem: linuxFileSystem, prefix: volumePrefix(project, DATA) },
      ...{ directory: source(name), snapshotId: id, epoch: volume.epoch, attempt: `live-1.${id}` },
      ...{
        parent,
        indexFile: join(root, `index-${name}`),
        parentIndexFile: join(root, `index-${name}`),
      },
    },
    signal,
  );
  const head = {
    ...{ id, epoch: volume.epoch, takenAtMs: nowMs, digest: written.digest, files: 1, bytes: MIB },
    ...{ storedBytes: 1, kind: "live" as const, stopped: "running" as const, deployId: null },
  };
  const next = { ...volume, head, snapshots: [...volume.snapshots, head] };
  return { ...state, project, volumes: { [DATA]: next } };
};
const save = async (state: ProjectState): Promise<void> => {
  const before = await ports.records.load(state.project, signal);
  await ports.records.save(state.project, before, state, signal);
};
const addProject = async (name: string): Promise<ProjectState> => {
  mkdirSync(source(name));
  writeFileSync(join(source(name), "file"), randomBytes(MIB));
  const state = await snapshotOf(name, running);
  await save(state);
  return state;
};
const warm = (name: string, bytesMax?: number) => {
  nowMs += 1_000;
  return warmVolume(ports, { project: ProjectId.parse(name), volume: DATA, bytesMax }, signal);
};
const keepWithin = (bytes: number) => evictCaches({ ...ports, cacheBudgetBytes: bytes }, signal);
const kept = (): string[] =>
  readdirSync(join(root, "node", "volumes"))
    .filter((name) => readdirSync(join(root, "node", "volumes", name, DATA)).length > 0)
    .sort();

test("a volume is brought once; what is brought later is what changed since", async () => {
  const state = await addProject("shop");
  expect(await warm("shop")).toMatchObject({ bytes: MIB, reusedBytes: 0 });
  expect(await warm("shop")).toBeNull();
  writeFileSync(join(source("shop"), "more"), randomBytes(1_000));
  await save(await snapshotOf("shop", state));
  const { fetchedBytes = MIB } = (await warm("shop")) ?? {};
  expect(fetchedBytes).toBeLessThan(10_000);
});

test("refused: the owner, a running deploy, a volume that is too large or not there", async () => {
  const state = await addProject("shop");
  await expect(warm("shop", MIB - 1)).rejects.toMatchObject({ code: "cache-budget" });
  await expect(warm("other")).rejects.toMatchObject({ code: "unknown-volume" });
  await expect(
    warmVolume({ ...ports, node: X }, { project: state.project, volume: DATA }, signal),
  ).rejects.toMatchObject({ code: "is-owner" });
  await save(begin(state, "second", "b", two));
  await expect(warm("shop")).rejects.toMatchObject({ code: "deploy-runs" });
});

test("a deploy does not wait for a copy that is being brought", async () => {
  const state = await addProject("shop");
  const stuck: AgentPorts["volumes"]["hydrate"] = (_request, either) =>
    new Promise((_resolve, reject) => {
      either.addEventListener("abort", () => reject(either.reason));
      ports.warmings.get(state.project)?.abort();
    });
  const slow = { ...ports, volumes: { ...ports.volumes, hydrate: stuck } };
  await expect(
    warmVolume(slow, { project: state.project, volume: DATA }, signal),
  ).rejects.toMatchObject({ code: "deploy-runs", name: "RetryableError" });
  expect(await warm("shop")).toMatchObject({ bytes: MIB });
});

test("over the budget the copies go that were brought up to date longest ago", async () => {
  for (const name of ["a", "b", "c"]) await addProject(name);
  for (const name of ["b", "a", "c"]) await warm(name);
  await keepWithin(3 * MIB);
  expect(kept()).toEqual(["a", "b", "c"]);
  await keepWithin(2 * MIB);
  expect(kept()).toEqual(["a", "c"]);
  await keepWithin(0);
  expect(kept()).toEqual([]);
});

test("a standby's copy is neither counted nor let go of, nor one of a project in a deploy", async () => {
  for (const name of ["a", "b", "c"]) {
    const state = await addProject(name);
    await warm(name);
    if (name === "b") await save(begin(state, "second", "b", two));
    const volume = { ...state.volumes[DATA], standbys: [Y] } as VolumeState;
    if (name === "a") await save({ ...state, volumes: { [DATA]: volume } });
  }
  await keepWithin(MIB);
  expect(kept()).toEqual(["a", "b", "c"]);
  await keepWithin(0);
  expect(kept()).toEqual(["a", "b"]);
});
