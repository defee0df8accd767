/** Reads the tree of a snapshot: its segments in order, verified, the next ones on their way. */
import { digestEntries } from "./content-digest.ts";
import type { Entry } from "./entry.ts";
import { TerminalError } from "./errors.ts";
import { objectKey } from "./keys.ts";
import {
  encodeRecord,
  type IndexReader,
  type ReadSegment,
  type SegmentRef,
} from "./local-index.ts";
import { NO_KEYS, segmentPlace, unseal } from "./sealing.ts";
import { SNAPSHOT_FORMATS, type Snapshot, type SnapshotPlace } from "./snapshot.ts";
import { decodeSegment, segmentFromJson } from "./tree.ts";

const SEGMENTS_AHEAD = 3;

export interface TreeSegment {
  readonly ref: SegmentRef;
  readonly entries: readonly Entry[];
  /** What an index has of it. */
  readonly json: Buffer;
  /** What the entries come from, when they did not have to be fetched. */
  readonly known: ReadSegment | null;
}

export const corruptTree = (id: string, what: string): TerminalError =>
  new TerminalError(`snapshot ${id}: its tree does not match its ${what}`, {
    code: "tree-corrupt",
  });

export interface TreeSource extends Omit<SnapshotPlace, "snapshotId"> {
  /** Reads the segment as this node has it from before; null: it has not. */
  readonly known?: IndexReader["find"];
}

/**
 * `counts.fetchedBytes` grows by what was fetched; what is known and is what it should be is not.
 * Throws TerminalError for anything but the tree.
 */
export async function* readSegments(
  snapshot: Snapshot,
  { store, prefix, keys = NO_KEYS, known = () => null }: TreeSource,
  counts: { fetchedBytes: number },
  signal: AbortSignal,
): AsyncGenerator<TreeSegment> {
  const fetchOne = async (ref: SegmentRef): Promise<Uint8Array> => {
    const stored = await store.get(objectKey(prefix, ref.name), signal);
    if (stored === null) {
      throw new TerminalError(`tree segment ${ref.name} is missing`, { code: "segment-missing" });
    }
    counts.fetchedBytes += stored.length;
    return stored;
  };
  const decode = (ref: SegmentRef, stored: Uint8Array): TreeSegment => {
    const place = segmentPlace(objectKey(prefix, ref.name));
    const isSealed = snapshot.format === SNAPSHOT_FORMATS.sealed;
    const unsealed = isSealed ? (body: Uint8Array) => unseal(keys, place, body) : null;
    const { json, text } = decodeSegment(stored, ref.digest, unsealed);
    const entries = segmentFromJson(json, ref.name);
    if (!hasContent(ref, entries)) throw corruptTree(snapshot.id, "content");
    return { ref, entries, json: encodeRecord(ref, text), known: null };
  };
  // As they are stored they are small; a segment becomes entries only when it is its turn.
  const read = (ref: SegmentRef): (() => Promise<TreeSegment>) => {
    const readKnown = known(ref);
    const fetching = readKnown === null ? fetchOne(ref) : null;
    fetching?.catch(() => undefined);
    return async () => {
      const found = readKnown?.() ?? null;
      const entries = found?.entries.map(({ entry }) => entry) ?? [];
      if (found !== null && hasContent(ref, entries)) {
        return { ref, entries, json: found.record.json, known: found };
      }
      return decode(ref, await (fetching ?? fetchOne(ref)));
    };
  };
  const ahead: (() => Promise<TreeSegment>)[] = [];
  for (let next = 0; next < snapshot.segments.length || ahead.length > 0; ) {
    for (; ahead.length < SEGMENTS_AHEAD && next < snapshot.segments.length; next += 1) {
      const row = snapshot.segments[next];
      if (row === undefined) break;
      ahead.push(read(refOf(row)));
    }
    const first = ahead.shift();
    if (first !== undefined) yield await first();
  }
}

const refOf = ([name, digest, storedBytes, entryCount, contentDigest]: SegmentRow): SegmentRef => ({
  name,
  digest,
  storedBytes,
  entryCount,
  contentDigest,
});

const hasContent = (
  { entryCount, contentDigest }: SegmentRef,
  entries: readonly Entry[],
): boolean => entries.length === entryCount && digestEntries(entries) === contentDigest;

type SegmentRow = Snapshot["segments"][number];
