/**
 * Brings a directory to a snapshot's content: all of it, or what differs from what is there. Nothing
 * unverified is written, nothing is written outside the directory, and the result is on disk when
 * the call returns. After a failure the directory must not be used; a new call goes on where it ended.
 */

import { mkdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { sha256 } from "../digest.ts";
import type { Entry } from "../entry.ts";
import { TerminalError } from "../errors.ts";
import type { FileSystem } from "../file-system.ts";
import { firstOf, openCursor } from "../index-cursor.ts";
import { createIndex, type IndexedEntry } from "../local-index.ts";
import type { ObjectStore } from "../object-store.ts";
import { corruptTree, readSegments } from "../read-segments.ts";
import { openClones } from "../scan/clones.ts";
import type { DataKeys } from "../sealing.ts";
import { readSnapshot, SNAPSHOT_FORMATS } from "../snapshot.ts";
import { translateSystemError } from "../system-errors.ts";
import { type Budget, checkSnapshot, HYDRATE_BUDGET, refuse } from "./budget.ts";
import { openSources } from "./open-sources.ts";
import { openPlacer } from "./place-entries.ts";
import { openRecorder } from "./record-segments.ts";
import { selectSubtree } from "./select-subtree.ts";
import { openWriteBack } from "./write-back.ts";

/** A tick of the file system's clock, twice: what is written later has a later ctime. */
const SETTLE_MS = 25;

export interface HydrateOptions {
  readonly store: ObjectStore;
  readonly prefix: string;
  readonly snapshotId: string;
  /** Needed for a sealed snapshot. */
  readonly keys?: DataKeys | undefined;
  /** The data directory; created when it is not there. */
  readonly directory: string;
  /** Describes the directory before (if it is there) and after. On the same file system. */
  readonly indexFile: string;
  /** Another copy of the volume whose unchanged files may be copied; it is only read. */
  readonly base: { readonly directory: string; readonly indexFile: string } | null;
  /** Only what is at and below this path of the tree, which then is the directory itself. */
  readonly subtree?: Buffer | undefined;
  /** Clients wait for what comes after it: what can wait is left for later. */
  readonly isUrgent?: boolean | undefined;
  readonly fileSystem: FileSystem;
  readonly budget?: Budget;
  readonly onProgress?: (progress: HydrateProgress) => void;
}

export interface HydrateProgress {
  readonly bytes: number;
  readonly bytesTotal: number;
  readonly fetchedBytes: number;
}

export interface HydrateResult {
  readonly snapshotId: string;
  readonly digest: string;
  readonly files: number;
  readonly bytes: number;
  /** Stored bytes that came from the store, tree and data. */
  readonly fetchedBytes: number;
  /** Bytes of files that were there already. */
  readonly reusedBytes: number;
}

export const hydrate = async (
  options: HydrateOptions,
  signal: AbortSignal,
): Promise<HydrateResult> => {
  const { store, prefix, snapshotId, directory, indexFile, isUrgent = false } = options;
  const snapshot = await readSnapshot(options, signal);
  if (snapshot === null) {
    throw new TerminalError(`the store has no snapshot ${snapshotId}`, {
      code: "snapshot-missing",
    });
  }
  const isSealed = snapshot.format === SNAPSHOT_FORMATS.sealed;
  checkSnapshot(snapshot, options.budget ?? HYDRATE_BUDGET);
  const sources = openSources(options);
  mkdirSync(directory, { recursive: true });
  const disk = openWriteBack(directory, options.fileSystem);
  const clones = openClones(indexFile, snapshotId, options.fileSystem);
  const counts = { bytes: 0, fetchedBytes: 0, reusedBytes: 0, files: 0 };
  const placer = openPlacer(
    {
      store,
      prefix,
      keys: options.keys,
      directory,
      baseDirectory: sources.baseDirectory,
      known: firstOf(sources.indexes.map(openCursor)),
      fileSystem: options.fileSystem,
      clones,
      counts,
      onWritten: disk.note,
      onProgress: () => options.onProgress?.({ ...counts, bytesTotal: snapshot.bytes }),
    },
    signal,
  );
  const index = createIndex(indexFile, { snapshotId, isSealed }, sources.draft);
  try {
    const digests: string[] = [];
    const recorder = openRecorder(index);
    const select = selectSubtree(options, signal);
    let claimedBytes = 0;
    const tree = { ...options, known: sources.findSegment };
    for await (const { ref, entries, json, known } of readSegments(
      snapshot,
      tree,
      counts,
      signal,
    )) {
      claimedBytes += sizeOf(entries);
      if (claimedBytes > snapshot.bytes) {
        throw refuse(`files larger than its ${snapshot.bytes} bytes`);
      }
      digests.push(ref.contentDigest);
      const placed: (() => IndexedEntry)[] = [];
      for (const entry of entries) {
        const wanted = await select(entry);
        if (wanted !== null) placed.push(await placer.place(wanted));
      }
      const flushed = placer.flush();
      flushed.catch(() => undefined);
      const isWhole = options.subtree === undefined;
      await recorder.add({ ref, json: isWhole ? json : null, known, placed, flushed });
    }
    await placer.finish();
    if (sha256(digests.join("\n")) !== snapshot.digest) throw corruptTree(snapshotId, "digest");
    // It would be synced with the data. Where nobody waits it is better had at once, after a kill.
    if (isUrgent) index.hold();
    const settled = Promise.all([disk.finish(), sleep(SETTLE_MS, null, { signal })]);
    settled.catch(() => undefined);
    await recorder.finish();
    index.end(new Map(snapshot.packs));
    await settled;
    index.commit({ isUrgent });
    sources.discard();
    clones.sweep();
  } catch (error) {
    index.abandon();
    throw translateSystemError(error, `hydrate of ${snapshotId}`);
  } finally {
    await placer.close();
    await disk.close();
    for (const source of sources.indexes) source.close();
  }
  const { files, bytes, fetchedBytes, reusedBytes } = counts;
  return { snapshotId, digest: snapshot.digest, files, bytes, fetchedBytes, reusedBytes };
};

const sizeOf = (entries: readonly Entry[]): number =>
  entries.reduce((sum, entry) => sum + (entry.type === "file" ? entry.size : 0), 0);
