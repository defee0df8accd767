/** Reads the tree of a snapshot without bringing it to a disk: what is in it, and what two differ in. */
import { describeEntry } from "./content-digest.ts";
import { comparePaths, type Entry } from "./entry.ts";
import { TerminalError } from "./errors.ts";
import { readSegments } from "./read-segments.ts";
import { readSnapshot, type Snapshot, type SnapshotPlace } from "./snapshot.ts";

/** Every entry of the snapshot in tree order. Throws TerminalError when it is missing or damaged. */
export async function* listEntries(
  place: SnapshotPlace,
  signal: AbortSignal,
): AsyncGenerator<Entry> {
  const snapshot = await requireSnapshot(place, signal);
  for await (const { entries } of readSegments(snapshot, place, { fetchedBytes: 0 }, signal)) {
    yield* entries;
  }
}

export const requireSnapshot = async (
  place: SnapshotPlace,
  signal: AbortSignal,
): Promise<Snapshot> => {
  const snapshot = await readSnapshot(place, signal);
  if (snapshot !== null) return snapshot;
  throw new TerminalError(`the store has no snapshot ${place.snapshotId}`, {
    code: "snapshot-missing",
    hint: "list the volume's snapshots: it may have been removed by the retention rule",
  });
};

export interface EntryDifference {
  readonly path: Buffer;
  /** Null: not in that snapshot. */
  readonly before: Entry | null;
  readonly after: Entry | null;
}

/**
 * What differs between two snapshots of a volume, in tree order; directories' times count too. Only
 * segments that differ are read: the cost follows the change. A null `before` is an empty tree.
 */
export async function* diffSnapshots(
  before: SnapshotPlace | null,
  after: SnapshotPlace,
  signal: AbortSignal,
): AsyncGenerator<EntryDifference> {
  const newer = await requireSnapshot(after, signal);
  const older = before === null ? null : await requireSnapshot(before, signal);
  const left = listUnshared(older, newer, before ?? after, signal);
  const right = listUnshared(newer, older, after, signal);
  let a = await next(left);
  let b = await next(right);
  while (a !== null || b !== null) {
    const order = a === null ? 1 : b === null ? -1 : comparePaths(a.path, b.path);
    if (order < 0 && a !== null) {
      yield { path: a.path, before: a, after: null };
      a = await next(left);
    } else if (order > 0 && b !== null) {
      yield { path: b.path, before: null, after: b };
      b = await next(right);
    } else if (a !== null && b !== null) {
      if (describeEntry(a) !== describeEntry(b)) yield { path: a.path, before: a, after: b };
      a = await next(left);
      b = await next(right);
    }
  }
}

/** Entries of the segments that the other tree has not: paths never repeat, so no segment does. */
async function* listUnshared(
  snapshot: Snapshot | null,
  other: Snapshot | null,
  place: SnapshotPlace,
  signal: AbortSignal,
): AsyncGenerator<Entry> {
  if (snapshot === null) return;
  const shared = new Set(other?.segments.map((row) => row[CONTENT_DIGEST]));
  const segments = snapshot.segments.filter((row) => !shared.has(row[CONTENT_DIGEST]));
  const own = { ...snapshot, segments };
  for await (const { entries } of readSegments(own, place, { fetchedBytes: 0 }, signal)) {
    yield* entries;
  }
}

/** The place of the content digest in a segment's row. */
const CONTENT_DIGEST = 4;

const next = async (entries: AsyncGenerator<Entry>): Promise<Entry | null> => {
  const result = await entries.next();
  return result.done === true ? null : result.value;
};

/** The entry at the path, a hard link resolved to its file, or null. */
export const findEntry = async (
  place: SnapshotPlace,
  path: Buffer,
  signal: AbortSignal,
): Promise<Entry | null> => {
  for await (const entry of listEntries(place, signal)) {
    if (!entry.path.equals(path)) continue;
    return entry.type === "hardlink" ? findEntry(place, entry.target, signal) : entry;
  }
  return null;
};
