/**
 * The engine's rows: what a deploy waits for, against what else could have moved the volume, in the
 * same run on the same machine, store and file system. Each row is a ratio; times alone say little.
 */
import { execFileSync } from "node:child_process";
import { closeSync, cpSync, mkdirSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import type { Row } from "./bench.ts";
import type { S3Store } from "./engine-tools.ts";
import {
  listedBytes,
  type Restic,
  rawGets,
  rawPuts,
  removeObjects,
  rsyncOverLoopback,
  runEngine,
} from "./engine-tools.ts";
import { type FileSystemKind, mountFileSystem } from "./loop-mount.ts";
import { makeDatabase, makeFiles, makeTinyFiles, updateRows } from "./make-volume.ts";

export interface EngineBench {
  readonly s3: S3Store;
  readonly restic: (repository: string) => Restic;
  readonly scratch: string;
  /** 1: an 828 MB database and 20,000 files. */
  readonly scale: number;
  readonly log: (line: string) => void;
}

const GIB = 2 ** 30;
const ROWS_FULL = 100_000;
const FILES_FULL = 20_000;
const CHANGED_ROWS = 2_000;
const IMAGE_GIB = 14;

const openTable = (bench: EngineBench, kind: FileSystemKind) => {
  const rows: Row[] = [];
  const add = (row: Omit<Row, "on" | "ratio">, ratio: number): void => {
    rows.push({ ...row, on: kind, ratio });
    bench.log(`${kind}: ${row.work}: ${row.ours.toFixed(0)} ${row.unit}, ${ratio.toFixed(2)}x`);
  };
  const faster = (work: string, ours: number, peer: string, theirs: number, target: number) =>
    add({ work, unit: "ms", ours, peer, theirs, target }, theirs / ours);
  return { rows, add, faster };
};

/** Rows for one file system: snapshots and hydrates of a mixed volume, and of a change in it. */
export const benchVolume = async (
  bench: EngineBench,
  kind: FileSystemKind,
  signal: AbortSignal,
): Promise<Row[]> => {
  const rowCount = Math.round(ROWS_FULL * bench.scale);
  const changes = Math.round(CHANGED_ROWS * bench.scale);
  const mounted = mountFileSystem(kind, bench.scratch, IMAGE_GIB * GIB);
  const at = (name: string): string => join(mounted.directory, name);
  const prefix = `bench-${kind}-${Date.now()}`;
  const { rows, add, faster } = openTable(bench, kind);
  try {
    const source = at("source/data");
    mkdirSync(source, { recursive: true });
    makeFiles(join(source, "files"), Math.round(FILES_FULL * bench.scale), 1);
    makeDatabase(join(source, "app.db"), rowCount, 2);
    execFileSync("sync");
    const snapshot = (snapshotId: string, parent: string | null) =>
      runEngine(
        bench,
        { operation: "snapshot", prefix, snapshotId, parent, copy: at("source") },
        signal,
      );
    const hydrate = (snapshotId: string, copy: string) =>
      runEngine(
        bench,
        { operation: "hydrate", prefix, snapshotId, parent: null, copy: at(copy) },
        signal,
      );
    const restic = bench.restic(`${prefix}-restic`);
    await restic.init(signal);

    const resticFull = await restic.backup(source, signal);
    const full = await snapshot("s1", null);
    faster("full snapshot", full.wallMs, "restic", resticFull, 1.5);
    const ceiling = await rawPuts(bench, `${prefix}-raw`, full.storedBytes, signal);
    faster("full snapshot", full.wallMs, "raw PUTs", ceiling, 0.8);

    await snapshot("s2", "s1");
    const resticSame = await restic.backup(source, signal);
    const same = await snapshot("s3", "s2");
    faster("unchanged snapshot", same.wallMs, "restic", resticSame, 4);

    const resticRestore = await restic.restore(at("restic"), signal);
    // Both restores stay until the end: ext4 is slow to create files where many were just deleted.
    const hydrated = await hydrate("s3", "y");
    faster("full hydrate", hydrated.wallMs, "restic restore", resticRestore, 1.5);
    const gets = await rawGets(bench, prefix, signal);
    faster("full hydrate", hydrated.wallMs, "raw GETs", gets, 0.8);

    cpSync(source, at("rsync"), { recursive: true, preserveTimestamps: true });
    updateRows(join(source, "app.db"), rowCount, changes, 3);
    execFileSync("sync");
    const resticBytes = await listedBytes(bench, `${prefix}-restic`, signal);
    const delta = await snapshot("s4", "s3");
    const resticDelta = await restic.backup(source, signal);
    const added = (await listedBytes(bench, `${prefix}-restic`, signal)) - resticBytes;
    faster("delta snapshot", delta.wallMs, "restic", resticDelta, kind === "ext4" ? 2 : 10);
    const bytes = { work: "delta snapshot", unit: "bytes" as const, ours: delta.storedBytes };
    add({ ...bytes, peer: "restic", theirs: added, target: 1 }, added / delta.storedBytes);
    const changedBytes = changedFileBytes(join(at("rsync"), "app.db"), join(source, "app.db"));
    add(
      {
        ...bytes,
        peer: "changed rows",
        theirs: changedBytes,
        target: kind === "ext4" ? 1 / 2.5 : 1 / 1.3,
      },
      changedBytes / delta.storedBytes,
    );

    const rsync = await rsyncOverLoopback(source, at("rsync"), signal);
    const deltaHydrate = await hydrate("s4", "y");
    faster("delta hydrate", deltaHydrate.wallMs, "rsync", rsync, 5);
    faster("delta hydrate", deltaHydrate.wallMs, "restic restore", resticRestore, 5);
    return rows;
  } finally {
    mounted.unmount();
    await removeObjects(bench, prefix, signal);
  }
};

const PAGE_BYTES = 4_096;

/** Bytes of all pages in which the files differ: what a perfect delta would have to store. */
const changedFileBytes = (before: string, after: string): number => {
  const [a, b] = [openSync(before, "r"), openSync(after, "r")];
  const [old, now] = [Buffer.alloc(PAGE_BYTES), Buffer.alloc(PAGE_BYTES)];
  let changed = 0;
  for (let at = 0; readSync(b, now, 0, PAGE_BYTES, at) > 0; at += PAGE_BYTES) {
    const isThere = readSync(a, old, 0, PAGE_BYTES, at) > 0;
    if (!isThere || !old.equals(now)) changed += PAGE_BYTES;
  }
  closeSync(a);
  closeSync(b);
  return changed;
};

/** Rows for what depends on the number of files alone. */
export const benchManyFiles = async (
  bench: EngineBench,
  count: number,
  signal: AbortSignal,
): Promise<Row[]> => {
  const kind = "ext4";
  const mounted = mountFileSystem(kind, bench.scratch, IMAGE_GIB * GIB);
  const copy = join(mounted.directory, "source");
  const prefix = `bench-files-${count}-${Date.now()}`;
  try {
    mkdirSync(join(copy, "data"), { recursive: true });
    makeTinyFiles(join(copy, "data"), count);
    execFileSync("sync");
    const snapshot = (snapshotId: string, parent: string | null) =>
      runEngine(bench, { operation: "snapshot", prefix, snapshotId, parent, copy }, signal);
    const restic = bench.restic(`${prefix}-restic`);
    await restic.init(signal);
    await restic.backup(join(copy, "data"), signal);
    const resticSame = await restic.backup(join(copy, "data"), signal);
    const first = await snapshot("s1", null);
    const second = await snapshot("s2", "s1");
    const same = await snapshot("s3", "s2");
    const peakBytes = Math.max(first.peakBytes, second.peakBytes, same.peakBytes);
    const work = `unchanged, ${count} files`;
    const row = { work, on: kind, unit: "ms", ours: same.wallMs } as const;
    const small = { work, on: kind, unit: "bytes", ours: same.storedBytes } as const;
    const memory = { ...small, work: `peak memory, ${count} files`, ours: peakBytes };
    const limits = { uploaded: 64 * 1_024, memory: 400 * 2 ** 20 };
    return [
      { ...row, peer: "restic", theirs: resticSame, ratio: resticSame / same.wallMs, target: 3 },
      {
        ...small,
        peer: "64 KiB",
        theirs: limits.uploaded,
        ratio: limits.uploaded / same.storedBytes,
        target: 1,
      },
      {
        ...memory,
        peer: "400 MiB",
        theirs: limits.memory,
        ratio: limits.memory / peakBytes,
        target: 1,
      },
      {
        ...memory,
        peer: "restic",
        theirs: restic.peakBytes(),
        ratio: restic.peakBytes() / peakBytes,
        target: 1,
      },
    ];
  } finally {
    mounted.unmount();
    await removeObjects(bench, prefix, signal);
  }
};
