/**
 * Takes a snapshot of a directory: walks it in step with the index of the last one, stores what is
 * new, and writes the snapshot object last. An interrupted attempt leaves garbage, never a snapshot.
 */
import { closeSync, fstatSync, openSync, unlinkSync } from "node:fs";
import type { Entry } from "./entry.ts";
import type { FileSystem } from "./file-system.ts";
import { openFrameBuilder } from "./frame-builder.ts";
import { openCursor } from "./index-cursor.ts";
import { snapshotKey } from "./keys.ts";
import { createIndex, type FoundEntry, openIndex } from "./local-index.ts";
import type { ObjectStore } from "./object-store.ts";
import { openPackWriter } from "./pack-writer.ts";
import { findPoorPacks, withoutPacks } from "./repack.ts";
import { createCloneMaps, type VolumeCloneMaps } from "./scan/clone-maps.ts";
import { openClones } from "./scan/clones.ts";
import { type Reading, readEntry } from "./scan/read-entry.ts";
import { walk } from "./scan/walk.ts";
import { currentKey, type DataKeys, NO_KEYS } from "./sealing.ts";
import { openSegmentWriter } from "./segment-writer.ts";
import { chooseFormat, encodeSnapshot, type Snapshot } from "./snapshot.ts";
import { translateSystemError } from "./system-errors.ts";
import { endsSegment } from "./tree.ts";

/** One tick of the coarsest file system clock in use (HZ=100), twice. */
const TICK_NS = 20_000_000n;

export interface Progress {
  readonly files: number;
  /** Of the files, those that are done, and of the one at hand what has been looked at. */
  readonly bytes: number;
  readonly storedBytes: number;
}

export interface WriteSnapshotOptions {
  /** The data; nothing is written into it. */
  readonly directory: string;
  /** Where this snapshot's index is written: on the data's file system, outside the data. */
  readonly indexFile: string;
  /** The parent's index; the same file where the new one shall replace it. */
  readonly parentIndexFile: string;
  readonly store: ObjectStore;
  readonly prefix: string;
  readonly snapshotId: string;
  readonly epoch: number;
  /** Never used before for this volume: no key may ever be written twice. */
  readonly attempt: string;
  /**
   * The snapshot whose packs may be referred to. It must stay until this one is referred to. Null,
   * or one that the index does not describe: everything is read and stored.
   */
  readonly parent: string | null;
  /** What is stored is sealed with the current one of these; a parent that is not sealed is then no parent. */
  readonly keys?: DataKeys | undefined;
  /** Store afresh what is left of packs that are mostly dead. Not for a delta that somebody waits for. */
  readonly repack?: boolean | undefined;
  /** Nobody writes to the directory meanwhile: its files need not be frozen to be read. */
  readonly isStill?: boolean | undefined;
  /** A round of a deploy: a snapshot of the still directory follows soon, and is prepared for. */
  readonly isRound?: boolean | undefined;
  /** What this process knows of the clones of earlier snapshots; default: nothing. */
  readonly cloneMaps?: VolumeCloneMaps | undefined;
  readonly fileSystem: FileSystem;
  readonly onProgress?: (progress: Progress) => void;
}

export interface SnapshotSummary {
  readonly snapshotId: string;
  readonly digest: string;
  readonly files: number;
  readonly bytes: number;
  readonly changedBytes: number;
  readonly storedBytes: number;
  /** Paths that can't be stored, with the reason: sockets, which mean nothing on another host. */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
}

export const writeSnapshot = async (
  options: WriteSnapshotOptions,
  signal: AbortSignal,
): Promise<SnapshotSummary> => {
  const { indexFile, store, prefix, epoch, attempt, snapshotId, fileSystem } = options;
  const isStill = options.isStill === true;
  const trustedBeforeNs = (await settleFileSystem(indexFile, fileSystem)) - TICK_NS;
  const found = options.parent === null ? null : openIndex(options.parentIndexFile);
  const key = currentKey(options.keys ?? NO_KEYS);
  const isParent =
    found?.header.snapshotId === options.parent && found?.header.isSealed === (key !== null);
  const known = isParent ? found : null;
  const isRepacking = options.repack === true && known !== null;
  const poorPacks = isRepacking ? findPoorPacks(options.parentIndexFile) : new Set<string>();
  const cursor = openCursor(known);
  const { counts, report, onRead, onStored, endFile } = openCounts(options.onProgress);
  const packs = openPackWriter({ store, prefix, epoch, attempt, key, onStored }, signal);
  const frames = openFrameBuilder(packs);
  const index = createIndex(indexFile, { snapshotId, isSealed: key !== null });
  const segments = openSegmentWriter(
    { store, prefix, epoch, attempt, key, packs, frames, index, onStored },
    signal,
  );
  const clones = openClones(indexFile, attempt, fileSystem);
  const links = new Map<string, Buffer>();
  const reading: Reading = {
    frames,
    fileSystem,
    clones,
    cloneMaps: (options.cloneMaps ?? createCloneMaps()).of(prefix, isStill),
    isStill,
    isRound: options.isRound === true,
    trustedBeforeNs,
    links,
    skipped: [],
    onRead,
  };
  try {
    for await (const items of walk(options.directory, fileSystem)) {
      for (const item of items) {
        signal.throwIfAborted();
        const old: FoundEntry | null = withoutPacks(cursor.seek(item.path), poorPacks);
        const read = await readEntry(item, old, reading);
        endFile();
        if (read === null) continue;
        count(counts, read.indexed.entry, read.changedBytes);
        segments.add(read.indexed, read.isUnchanged ? old : null, read.complete);
        if (endsSegment(item.path, segments.size())) {
          await segments.close();
          report();
        }
      }
    }
    cursor.drain();
    const tree = await segments.finish(known?.packs() ?? new Map());
    const snapshot: Snapshot = {
      format: chooseFormat({ segments: tree.segments, packs: [...tree.packs] }, key),
      id: snapshotId,
      epoch,
      attempt,
      parent: known === null ? null : options.parent,
      digest: tree.digest,
      files: counts.files,
      bytes: counts.bytes,
      segments: tree.segments,
      packs: [...tree.packs],
    };
    const body = await encodeSnapshot(snapshot, key === null ? undefined : { prefix, key });
    index.end(tree.packs);
    await store.put(snapshotKey(prefix, snapshotId), body, { ifAbsent: false }, signal);
    onStored(body.length);
    index.commit({ isUrgent: isStill });
    clones.sweep();
    return { snapshotId, digest: tree.digest, ...counts, skipped: reading.skipped };
  } catch (error) {
    index.abandon();
    throw translateSystemError(error, `snapshot ${snapshotId}`);
  } finally {
    found?.close();
  }
};

const openCounts = (onProgress: WriteSnapshotOptions["onProgress"]) => {
  const counts = { files: 0, bytes: 0, changedBytes: 0, storedBytes: 0 };
  let bytesOfFile = 0;
  const report = () => onProgress?.({ ...counts, bytes: counts.bytes + bytesOfFile });
  return {
    counts,
    report,
    onRead: (bytes: number): void => {
      bytesOfFile += bytes;
      report();
    },
    onStored: (bytes: number): void => {
      counts.storedBytes += bytes;
      report();
    },
    endFile: (): void => {
      bytesOfFile = 0;
    },
  };
};

/**
 * The file system's own time, after which all that was written before is on disk: a page that is
 * written to later, even through a mapping, changes the file's ctime to this time or a later one.
 */
const settleFileSystem = async (indexFile: string, fileSystem: FileSystem): Promise<bigint> => {
  const path = `${indexFile}.t0`;
  const fd = openSync(path, "w", 0o600);
  try {
    const { ctimeNs } = fstatSync(fd, { bigint: true });
    await fileSystem.syncFileSystem(fd);
    return ctimeNs;
  } finally {
    closeSync(fd);
    unlinkSync(path);
  }
};

const count = (
  counts: { files: number; bytes: number; changedBytes: number },
  entry: Entry,
  changedBytes: number,
): void => {
  counts.changedBytes += changedBytes;
  if (entry.type !== "file") return;
  counts.files += 1;
  counts.bytes += entry.size;
};
