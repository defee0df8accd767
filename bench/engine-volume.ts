/**
 * The engine's rows for a mixed volume on one file system: what a deploy waits for, against what else
 * could have moved the volume, in the same run, round by round.
 */
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Row } from "./bench.ts";
import { changedFileBytes } from "./changed-file-bytes.ts";
import type { EngineBench } from "./engine-bench.ts";
import type { EngineRequest } from "./engine-request.ts";
import {
  copyTree,
  listedBytes,
  rawGets,
  rawPuts,
  rcloneCopy,
  removeObjects,
  rsyncOverLoopback,
  runEngine,
  syncDisk,
} from "./engine-tools.ts";
import { type FileSystemKind, mountFileSystem } from "./loop-mount.ts";
import { makeDatabase, makeFiles } from "./make-volume.ts";
import { openRowTable, type Round, type RowTable } from "./row-table.ts";

const GIB = 2 ** 30;
const IMAGE_GIB = 16;
const ROWS_FULL = 100_000;
const FILES_FULL = 20_000;
const CHANGED_ROWS = 2_000;

/** What the rounds share. */
interface Scene {
  readonly bench: EngineBench;
  readonly kind: FileSystemKind;
  readonly table: RowTable;
  readonly prefix: string;
  readonly at: (name: string) => string;
  readonly rowCount: number;
}

export const benchVolume = async (
  bench: EngineBench,
  kind: FileSystemKind,
  signal: AbortSignal,
): Promise<readonly Row[]> => {
  const mounted = mountFileSystem(kind, bench.scratch, IMAGE_GIB * GIB);
  const table = openRowTable(kind, bench.log);
  const rowCount = Math.round(ROWS_FULL * bench.scale);
  const prefix = `bench-${kind}-${Date.now()}`;
  const at = (name: string): string => join(mounted.directory, name);
  const scene: Scene = { bench, kind, table, prefix, at, rowCount };
  try {
    mkdirSync(at("source/data"), { recursive: true });
    makeFiles(at("source/data/files"), Math.round(FILES_FULL * bench.scale), 1);
    makeDatabase(at("source/data/app.db"), rowCount, 2);
    syncDisk(mounted.directory);
    await benchFullSnapshot(scene, signal);
    await benchUnchanged(scene, signal);
    await benchFullHydrate(scene, signal);
    await benchDelta(scene, signal);
    return table.rows;
  } finally {
    await mounted.unmount();
    await removeObjects(bench, prefix, signal);
  }
};

const snapshot = (
  { bench, prefix, at }: Scene,
  snapshotId: string,
  parent: string | null,
  signal: AbortSignal,
  lastRound: EngineRequest["lastRound"] = null,
) =>
  runEngine(
    bench,
    { operation: "snapshot", prefix, snapshotId, parent, copy: at("source"), lastRound },
    signal,
  );

const hydrate = (
  { bench, prefix, at }: Scene,
  snapshotId: string,
  copy: string,
  signal: AbortSignal,
) =>
  runEngine(
    bench,
    { operation: "hydrate", prefix, snapshotId, parent: null, copy: at(copy) },
    signal,
  );

const repository = ({ bench, prefix }: Scene, round: number | string) =>
  bench.restic(`${prefix}-restic-${round}`);

const rounds = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

const LIMIT_BYTES = 400 * 2 ** 20;

const benchFullSnapshot = async (scene: Scene, signal: AbortSignal): Promise<void> => {
  const { bench, table, prefix, at } = scene;
  const [restic, raw]: [Round[], Round[]] = [[], []];
  let peakBytes = 0;
  let resticPeakBytes = 0;
  for (const round of rounds(bench.rounds)) {
    const theirs = repository(scene, round);
    await theirs.init(signal);
    const resticMs = await theirs.backup(at("source/data"), signal);
    const full = await snapshot(scene, `full-${round}`, null, signal);
    const rawMs = await rawPuts(bench, `${prefix}-raw`, full.storedBytes, signal);
    restic.push({ ours: full.wallMs, theirs: resticMs });
    raw.push({ ours: full.wallMs, theirs: rawMs });
    peakBytes = Math.max(peakBytes, full.peakBytes);
    resticPeakBytes = Math.max(resticPeakBytes, theirs.peakBytes());
    if (round === 0) continue;
    await removeObjects(bench, `${prefix}-restic-${round - 1}`, signal);
    await removeObjects(bench, `${prefix}/e1/full-${round - 1}/`, signal);
  }
  const work = "full snapshot";
  table.less({ work, unit: "ms", peer: "restic", target: 1.5 }, restic);
  table.less({ work, unit: "ms", peer: "raw PUTs", target: 0.8 }, raw);
  table.atMost({ work: `${work}, memory`, unit: "bytes", peer: "400 MiB" }, LIMIT_BYTES, peakBytes);
  const memory = { work: `${work}, memory`, unit: "bytes", peer: "restic", target: null } as const;
  table.less(memory, [{ ours: peakBytes, theirs: resticPeakBytes }]);
  if (scene.kind !== "ext4") return;
  const rclone = await rcloneCopy(bench, at("source/data"), { to: `${prefix}-rclone` }, signal);
  const last = restic.at(-1)?.ours ?? 0;
  table.less({ work, unit: "ms", peer: "rclone copy", target: null }, [
    { ours: last, theirs: rclone },
  ]);
};

const UNCHANGED_ROUNDS = 3;

const benchUnchanged = async (scene: Scene, signal: AbortSignal): Promise<void> => {
  const { bench, table, at } = scene;
  const theirs = repository(scene, bench.rounds - 1);
  let parent = `full-${bench.rounds - 1}`;
  await snapshot(scene, "settled", parent, signal);
  parent = "settled";
  const found: Round[] = [];
  for (const round of rounds(UNCHANGED_ROUNDS)) {
    const resticMs = await theirs.backup(at("source/data"), signal);
    const same = await snapshot(scene, `same-${round}`, parent, signal);
    parent = `same-${round}`;
    found.push({ ours: same.wallMs, theirs: resticMs });
  }
  table.less({ work: "unchanged snapshot", unit: "ms", peer: "restic", target: 4 }, found);
};

/** A hydrate ends when all is on the disk, so its peers' data are synced in their time as well. */
const benchFullHydrate = async (scene: Scene, signal: AbortSignal): Promise<void> => {
  const { bench, table, prefix, at } = scene;
  const theirs = repository(scene, bench.rounds - 1);
  const [synced, unsynced, raw]: [Round[], Round[], Round[]] = [[], [], []];
  let peakBytes = 0;
  for (const round of rounds(bench.rounds)) {
    const resticMs = await theirs.restore(at(`restic-${round}`), signal);
    const syncMs = syncDisk(at("."));
    // Copies stay until the end: ext4 is slow to create files where many were just deleted.
    const hydrated = await hydrate(scene, `same-${UNCHANGED_ROUNDS - 1}`, `y${round}`, signal);
    const rawMs = await rawGets(bench, prefix, hydrated.fetchedBytes, signal);
    synced.push({ ours: hydrated.wallMs, theirs: resticMs + syncMs });
    unsynced.push({ ours: hydrated.wallMs, theirs: resticMs });
    raw.push({ ours: hydrated.wallMs, theirs: rawMs });
    peakBytes = Math.max(peakBytes, hydrated.peakBytes);
  }
  const work = "full hydrate";
  table.less({ work, unit: "ms", peer: "restic restore, synced", target: 1.5 }, synced);
  table.less({ work, unit: "ms", peer: "restic restore, not synced", target: null }, unsynced);
  table.less({ work, unit: "ms", peer: "raw GETs, not written", target: 0.8 }, raw);
  table.atMost({ work: `${work}, memory`, unit: "bytes", peer: "400 MiB" }, LIMIT_BYTES, peakBytes);
  const ours = synced.at(-1)?.ours ?? 0;
  const copied = await copyTree(at("source/data"), at("cp"), signal);
  const copy = { work, unit: "ms", peer: "cp -a of it, synced", target: null } as const;
  table.less(copy, [{ ours, theirs: copied + syncDisk(at(".")) }]);
  if (scene.kind !== "ext4") return;
  const from = `${prefix}-rclone`;
  const rclone = await rcloneCopy(bench, at("rclone"), { from }, signal);
  const both = [{ ours, theirs: rclone + syncDisk(at(".")) }];
  table.less({ work, unit: "ms", peer: "rclone copy, synced", target: null }, both);
  rmSync(at("rclone"), { recursive: true, force: true });
};

const DELTA_ROUNDS = 3;

const benchDelta = async (scene: Scene, signal: AbortSignal): Promise<void> => {
  const { bench, kind, table, prefix, at, rowCount } = scene;
  const name = bench.rounds - 1;
  const theirs = repository(scene, name);
  const changes = Math.round(CHANGED_ROWS * bench.scale);
  const target = kind === "ext4" ? { time: 2, bytes: 1 / 2.5 } : { time: 10, bytes: 1 / 1.3 };
  const found = { time: [], bytes: [], ideal: [], rsync: [], restore: [] } as Record<
    string,
    Round[]
  >;
  let parent = `same-${UNCHANGED_ROUNDS - 1}`;
  cpSync(at("source/data"), at("rsync"), { recursive: true, preserveTimestamps: true });
  for (const round of rounds(DELTA_ROUNDS)) {
    const database = at("source/data/app.db");
    const lastRound = { database, rows: rowCount, changes, seed: 3 + 2 * round };
    const delta = await snapshot(scene, `delta-${round}`, parent, signal, lastRound);
    parent = `delta-${round}`;
    const changed = changedFileBytes(at("rsync/app.db"), database);
    const before = await listedBytes(bench, `${prefix}-restic-${name}`, signal);
    const resticMs = await theirs.backup(at("source/data"), signal);
    const added = (await listedBytes(bench, `${prefix}-restic-${name}`, signal)) - before;
    found["time"]?.push({ ours: delta.wallMs, theirs: resticMs });
    found["bytes"]?.push({ ours: delta.storedBytes, theirs: added });
    found["ideal"]?.push({ ours: delta.storedBytes, theirs: changed });
    const rsyncMs = await rsyncOverLoopback(at("source/data"), at("rsync"), signal);
    const syncMs = syncDisk(at("."));
    const hydrated = await hydrate(scene, parent, `y${bench.rounds - 1}`, signal);
    found["rsync"]?.push({ ours: hydrated.wallMs, theirs: rsyncMs + syncMs });
    if (round > 0) continue;
    const restoreMs = await theirs.restore(at("restic-delta"), signal);
    found["restore"]?.push({ ours: hydrated.wallMs, theirs: restoreMs + syncDisk(at(".")) });
  }
  const work = "delta snapshot";
  table.less({ work, unit: "ms", peer: "restic", target: target.time }, found["time"] ?? []);
  table.less({ work, unit: "bytes", peer: "restic", target: 1 }, found["bytes"] ?? []);
  const ideal = { work, unit: "bytes", peer: "changed pages", target: target.bytes } as const;
  table.less(ideal, found["ideal"] ?? []);
  const back = { work: "delta hydrate", unit: "ms", target: 5 } as const;
  table.less({ ...back, peer: "rsync, synced" }, found["rsync"] ?? []);
  table.less({ ...back, peer: "restic restore, synced" }, found["restore"] ?? []);
};
