/**
 * Brings a directory to a snapshot's content: all of it, or what differs from what is there. Nothing
 * unverified is written, nothing is written outside the directory, and the result is on disk when
 * the call returns. After a failure the directory must not be used; a new call begins afresh.
 */

import { createHash } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { describeEntry } from "../content-digest.ts";
import { sha256 } from "../digest.ts";
import type { Entry } from "../entry.ts";
import { TerminalError } from "../errors.ts";
import type { FileSystem } from "../file-system.ts";
import { openCursor } from "../index-cursor.ts";
import { objectKey } from "../keys.ts";
import { createIndex, type IndexedEntry, type IndexReader, openIndex } from "../local-index.ts";
import type { ObjectStore } from "../object-store.ts";
import { readSnapshot, type Snapshot } from "../snapshot.ts";
import { decodeSegment, segmentFromJson } from "../tree.ts";
import { type Budget, checkSnapshot, HYDRATE_BUDGET, refuse } from "./budget.ts";
import { openPlacer, type Placer } from "./place-entries.ts";

/** A tick of the file system's clock, twice: what is written later has a later ctime. */
const SETTLE_MS = 25;
const SEGMENTS_AHEAD = 3;

export interface HydrateOptions {
  readonly store: ObjectStore;
  readonly prefix: string;
  readonly snapshotId: string;
  /** The data directory; created when it is not there. */
  readonly directory: string;
  /** Describes the directory before (if it is there) and after. On the same file system. */
  readonly indexFile: string;
  /** Another copy of the volume whose unchanged files may be copied; it is only read. */
  readonly base: { readonly directory: string; readonly indexFile: string } | null;
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
  const { store, prefix, snapshotId, directory, indexFile } = options;
  const snapshot = await readSnapshot({ store, prefix, snapshotId }, signal);
  if (snapshot === null) {
    throw new TerminalError(`the store has no snapshot ${snapshotId}`, {
      code: "snapshot-missing",
    });
  }
  checkSnapshot(snapshot, options.budget ?? HYDRATE_BUDGET);
  const own = await takeIndex(indexFile);
  // Without an index nothing is known of what lies there, and a restore never merges.
  if (own === null) rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const counts = { bytes: 0, fetchedBytes: 0, reusedBytes: 0, files: 0 };
  const base = own === null && options.base !== null ? options.base : null;
  const placer = openPlacer(
    {
      store,
      prefix,
      directory,
      baseDirectory: base?.directory ?? null,
      known: openCursor(own ?? (base === null ? null : await openIndex(base.indexFile))),
      fileSystem: options.fileSystem,
      counts,
      onProgress: () => options.onProgress?.({ ...counts, bytesTotal: snapshot.bytes }),
    },
    signal,
  );
  const index = createIndex(indexFile, { format: 1, snapshotId });
  try {
    const digests: string[] = [];
    let claimedBytes = 0;
    for await (const { ref, entries } of readSegments(snapshot, options, counts, signal)) {
      claimedBytes += sizeOf(entries);
      if (claimedBytes > snapshot.bytes)
        throw refuse(`files larger than its ${snapshot.bytes} bytes`);
      digests.push(ref.contentDigest);
      index.add(ref, await placeSegment(placer, entries));
    }
    await placer.finish();
    if (sha256(digests.join("\n")) !== snapshot.digest) throw corruptTree(snapshotId, "digest");
    syncDirectory(directory, options.fileSystem);
    await sleep(SETTLE_MS, null, { signal });
    index.commit(new Map(snapshot.packs));
  } catch (error) {
    index.abandon();
    throw error;
  } finally {
    placer.close();
    rmSync(previousIndex(indexFile), { force: true });
  }
  const { files, bytes, fetchedBytes, reusedBytes } = counts;
  return { snapshotId, digest: snapshot.digest, files, bytes, fetchedBytes, reusedBytes };
};

/** From here on the directory is neither the old content nor the new one: its index goes aside. */
const takeIndex = async (indexFile: string): Promise<IndexReader | null> => {
  if (!existsSync(indexFile)) return null;
  renameSync(indexFile, previousIndex(indexFile));
  return openIndex(previousIndex(indexFile));
};

const previousIndex = (indexFile: string): string => `${indexFile}.previous`;

const placeSegment = async (placer: Placer, entries: readonly Entry[]): Promise<IndexedEntry[]> => {
  const placed: (() => IndexedEntry)[] = [];
  for (const entry of entries) placed.push(await placer.place(entry));
  await placer.flush();
  return placed.map((read) => read());
};

const sizeOf = (entries: readonly Entry[]): number =>
  entries.reduce((sum, entry) => sum + (entry.type === "file" ? entry.size : 0), 0);

const syncDirectory = (directory: string, fileSystem: FileSystem): void => {
  const fd = openSync(directory, "r");
  try {
    fileSystem.syncFileSystem(fd);
  } finally {
    closeSync(fd);
  }
};

const corruptTree = (id: string, what: string): TerminalError =>
  new TerminalError(`snapshot ${id}: its tree does not match its ${what}`, {
    code: "tree-corrupt",
  });

/** Segments in tree order, verified, the next ones on their way. */
async function* readSegments(
  snapshot: Snapshot,
  { store, prefix }: Pick<HydrateOptions, "store" | "prefix">,
  counts: { fetchedBytes: number },
  signal: AbortSignal,
) {
  const fetchOne = async (row: Snapshot["segments"][number]) => {
    const [name, digest, storedBytes, entryCount, contentDigest] = row;
    const stored = await store.get(objectKey(prefix, name), signal);
    if (stored === null) {
      throw new TerminalError(`tree segment ${name} is missing`, { code: "segment-missing" });
    }
    counts.fetchedBytes += stored.length;
    const entries = segmentFromJson(decodeSegment(stored, digest));
    const content = createHash("sha256");
    for (const entry of entries) content.update(`${describeEntry(entry)}\n`);
    if (entries.length !== entryCount || content.digest("hex") !== contentDigest) {
      throw corruptTree(snapshot.id, "content");
    }
    return { ref: { name, digest, storedBytes, entryCount, contentDigest }, entries };
  };
  const ahead: ReturnType<typeof fetchOne>[] = [];
  for (let next = 0; next < snapshot.segments.length || ahead.length > 0; ) {
    for (; ahead.length < SEGMENTS_AHEAD && next < snapshot.segments.length; next += 1) {
      const row = snapshot.segments[next];
      if (row === undefined) break;
      const fetching = fetchOne(row);
      fetching.catch(() => undefined);
      ahead.push(fetching);
    }
    const first = ahead.shift();
    if (first !== undefined) yield await first;
  }
}
