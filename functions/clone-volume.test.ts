/** A clone is safe from its source's retention and collector for as long as it refers to the source. */
import { randomBytes, randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pino from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { linuxFileSystem } from "../adapters/linux.ts";
import { openProjectRecords } from "../adapters/project-records.ts";
import { volumePrefix } from "../adapters/store-keys.ts";
import { testRoot } from "../test/trees/test-settings.ts";
import { createMemoryObjectStore } from "../volume/memory-object-store.ts";
import { verifySnapshot } from "../volume/verify.ts";
import { writeSnapshot } from "../volume/write-snapshot.ts";
import { DATA, running, start } from "../workflows/deploy/given-deploys.ts";
import { Epoch, ProjectId, SnapshotId, VolumeName } from "../workflows/ids.ts";
import type { ProjectState, SnapshotRef, VolumeState } from "../workflows/record.ts";
import { cloneVolume } from "./clone-volume.ts";
import { collectProject } from "./collect-garbage/collect-project.ts";
import { releaseSources } from "./collect-garbage/release-sources.ts";
import type { ControlPorts } from "./control-ports.ts";
import { newDataKey, parseWrappingKeys, unwrapKeys, wrapKey } from "./project-keys.ts";

const { signal } = new AbortController();
const source = running.project;
const target = ProjectId.parse("q");
const COPY = VolumeName.parse("copy");
const wrappingKeys = parseWrappingKeys(randomBytes(32).toString("hex")) ?? [];
let root: string;
let ports: ControlPorts;
let snapshot: SnapshotRef;

beforeEach(() => {
  root = mkdtempSync(join(testRoot(), "bagage-clone-"));
  const store = createMemoryObjectStore();
  const nowMs = () => 1_000_000;
  ports = {
    ...{ store, nowMs, newUuid: randomUUID, log: pino({ level: "silent" }) },
    records: openProjectRecords({ store, nowMs, newUuid: randomUUID }),
    git: { resolve: async () => null },
    events: { post: async () => undefined, setCommitStatus: async () => undefined },
    send: async () => undefined,
  };
});
afterEach(() => rmSync(root, { recursive: true }));

/** A source with one snapshot that is really there, and a target without volumes. */
const open = async (isSealed: boolean): Promise<void> => {
  const key = wrapKey(wrappingKeys, source, newDataKey());
  const encryption = isSealed ? { current: key.id, keys: [key] } : null;
  const directory = join(root, "data");
  mkdirSync(directory);
  writeFileSync(join(directory, "file"), randomBytes(50_000));
  const written = await writeSnapshot(
    {
      store: ports.store,
      prefix: volumePrefix(source, DATA),
      directory,
      indexFile: join(root, "index"),
      parentIndexFile: join(root, "index"),
      snapshotId: "snap-0001",
      epoch: 0,
      attempt: "a",
      parent: null,
      keys: unwrapKeys(wrappingKeys, { project: source, encryption }),
      fileSystem: linuxFileSystem,
    },
    signal,
  );
  const { digest, files, bytes, storedBytes } = written;
  const taken = { kind: "live", stopped: "running", takenAtMs: 1, deployId: null } as const;
  const id = SnapshotId.parse("snap-0001");
  snapshot = { id, epoch: Epoch.parse(0), digest, files, bytes, storedBytes, ...taken };
  const volume = running.volumes[DATA];
  if (volume === undefined) throw new Error("there is no volume");
  const volumes = { [DATA]: { ...volume, head: snapshot, snapshots: [snapshot] } };
  await ports.records.save(source, null, { ...running, encryption, volumes }, signal);
  await ports.records.save(target, null, { ...start, project: target }, signal);
};

const clone = () =>
  cloneVolume(
    ports,
    {
      from: { project: source, volume: DATA },
      snapshot,
      to: { project: target, volume: COPY },
      wrappingKeys,
    },
    signal,
  );
const change = async (
  project: ProjectId,
  name: VolumeName,
  more: Partial<VolumeState>,
): Promise<void> => {
  const loaded = await ports.records.load(project, signal);
  const volume = loaded?.state.volumes[name];
  if (loaded === null || volume === undefined) throw new Error("there is no volume");
  const volumes = { ...loaded.state.volumes, [name]: { ...volume, ...more } };
  await ports.records.save(project, loaded, { ...loaded.state, volumes }, signal);
};
const isCloneWhole = async (id: string) => {
  const loaded = await ports.records.load(target, signal);
  if (loaded === null) throw new Error("there is no project");
  const keys = unwrapKeys(wrappingKeys, loaded.state);
  const place = { store: ports.store, prefix: volumePrefix(target, COPY), snapshotId: id, keys };
  return (await verifySnapshot({ ...place, readData: true }, signal)).isWhole;
};
const stateOf = async (project: ProjectId): Promise<ProjectState> => {
  const loaded = await ports.records.load(project, signal);
  if (loaded === null) throw new Error("there is no project");
  return loaded.state;
};
const collect = async (project: ProjectId) =>
  collectProject(ports, await stateOf(project), false, signal);
const release = async () => releaseSources(ports, await stateOf(target), signal);

test.for([false, true])(
  "a clone outlives its source's restore point (sealed: %s)",
  async (isSealed) => {
    await open(isSealed);
    const { id } = await clone();
    await clone();
    await change(source, DATA, { head: null, snapshots: [], origin: { kind: "empty" } });
    await collect(source);
    await collect(target);
    expect(await release()).toEqual([]);
    expect(await isCloneWhole(id)).toBe(true);
    const loaded = await ports.records.load(target, signal);
    expect(loaded?.state.volumes[COPY]).toMatchObject({ owner: null, head: { id } });
    expect(loaded?.state.encryption === null).toBe(!isSealed);
  },
);

test("when nothing that the clone retains refers to its source any more, the source is let go", async () => {
  await open(false);
  await clone();
  await change(source, DATA, { head: null, snapshots: [], origin: { kind: "empty" } });
  await change(target, COPY, { head: null, snapshots: [], origin: { kind: "empty" } });
  expect(await release()).toEqual([{ project: source, volume: DATA }]);
  expect((await ports.records.load(source, signal))?.state.volumes[DATA]?.pins).toEqual([]);
  expect((await collect(source))[DATA]).toMatchObject({ keptObjects: 0 });
});

test("a volume is never replaced by a clone", async () => {
  await open(false);
  await clone();
  await change(target, COPY, { source: null });
  await expect(clone()).rejects.toMatchObject({ code: "volume-exists" });
});

test("without its wrapping key a sealed volume can't be cloned, and the error says what to set", async () => {
  await open(true);
  const request = {
    from: { project: source, volume: DATA },
    to: { project: target, volume: COPY },
  };
  await expect(
    cloneVolume(ports, { ...request, snapshot, wrappingKeys: [] }, signal),
  ).rejects.toMatchObject({ code: "key-missing", hint: expect.stringContaining("BAGAGE_KEY") });
  expect((await ports.records.load(target, signal))?.state.volumes).toEqual({});
});
