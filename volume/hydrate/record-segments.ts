/** Notes in the index what a hydrate has placed, segment by segment, as their files are complete. */
import {
  encodeRecord,
  type IndexedEntry,
  type IndexWriter,
  type ReadSegment,
  type SegmentRef,
} from "../local-index.ts";
import { serializeSegment } from "../tree.ts";

/** Entries of segments whose files are being fetched while the next ones are placed. */
const ENTRIES_UNDER_WAY = 4_096;

export interface PlacedSegment {
  readonly ref: SegmentRef;
  /** What an index has of it; null: only some of its entries were placed. */
  readonly json: Buffer | null;
  /** As it was before, if it was; its files may have changed since. */
  readonly known: ReadSegment | null;
  /** Can be read once `flushed`. */
  readonly placed: readonly (() => IndexedEntry)[];
  readonly flushed: Promise<void>;
}

export interface Recorder {
  /** Waits for the oldest segments while too much is under way. */
  add(segment: PlacedSegment): Promise<void>;
  /** All that was added is in the index. */
  finish(): Promise<void>;
}

export const openRecorder = (index: IndexWriter): Recorder => {
  const pending: PlacedSegment[] = [];
  const record = async (): Promise<void> => {
    const segment = pending.shift();
    if (segment === undefined) return;
    await segment.flushed;
    addToIndex(index, segment);
  };
  return {
    add: async (segment) => {
      pending.push(segment);
      while (countEntries(pending) > ENTRIES_UNDER_WAY) await record();
    },
    finish: async () => {
      while (pending.length > 0) await record();
    },
  };
};

/** As it was before, without writing it anew, where every file was kept: most segments of a delta. */
const addToIndex = (index: IndexWriter, { ref, json, known, placed }: PlacedSegment): void => {
  const found = placed.map((read) => read());
  const isUntouched =
    known !== null &&
    known.entries.length === found.length &&
    known.entries.every((old, i) => isSame(old, found[i]));
  if (isUntouched) index.addUntouched(known);
  else index.add(json ?? serialize(ref, found), found);
};

const serialize = (ref: SegmentRef, found: readonly IndexedEntry[]): Buffer =>
  encodeRecord(ref, serializeSegment(found.map(({ entry }) => entry)).text);

const isSame = (a: IndexedEntry, b: IndexedEntry | undefined): boolean =>
  a.entry === b?.entry && a.identity === b.identity && a.blocks === b.blocks && a.clone === b.clone;

const countEntries = (segments: readonly PlacedSegment[]): number =>
  segments.reduce((sum, { placed }) => sum + placed.length, 0);
