/** Closes tree segments: an untouched one is referred to again, any other is stored. */
import { digestEntries } from "./content-digest.ts";
import { sha256 } from "./digest.ts";
import type { FrameBuilder } from "./frame-builder.ts";
import { objectKey, segmentName } from "./keys.ts";
import {
  encodeRecord,
  type FoundEntry,
  type IndexedEntry,
  type IndexWriter,
  type PackSizes,
  type SegmentRef,
} from "./local-index.ts";
import type { ObjectStore } from "./object-store.ts";
import type { PackWriter } from "./pack-writer.ts";
import { type DataKey, seal, segmentPlace } from "./sealing.ts";
import type { Snapshot } from "./snapshot.ts";
import { encodeSegment, serializeSegment } from "./tree.ts";

const UPLOADS_MAX = 4;

export interface SegmentWriterOptions {
  readonly store: ObjectStore;
  readonly prefix: string;
  readonly epoch: number;
  readonly attempt: string;
  /** Seals every segment; null: they are stored as they are. */
  readonly key: DataKey | null;
  readonly packs: PackWriter;
  readonly frames: FrameBuilder;
  readonly index: IndexWriter;
  readonly onStored: (bytes: number) => void;
}

export interface SegmentWriter {
  /**
   * `old`: the same entry in the last snapshot, when nothing about it changed. `complete`: fills in what
   * of the entry is known only when its bytes have been hashed.
   */
  add(entry: IndexedEntry, old: FoundEntry | null, complete: (() => void) | null): void;
  size(): number;
  close(): Promise<void>;
  /** `known`: sizes of packs from before this attempt. */
  finish(known: PackSizes): Promise<{
    readonly digest: string;
    readonly segments: Snapshot["segments"];
    readonly packs: PackSizes;
  }>;
}

export const openSegmentWriter = (
  options: SegmentWriterOptions,
  signal: AbortSignal,
): SegmentWriter => {
  const { store, prefix, epoch, attempt, index } = options;
  const refs: SegmentRef[] = [];
  const usedPacks = new Set<string>();
  const uploads = new Set<Promise<void>>();
  let entries: IndexedEntry[] = [];
  let olds: (FoundEntry | null)[] = [];
  const incomplete: (() => void)[] = [];
  let writtenCount = 0;

  const storeSegment = async () => {
    await options.frames.settle();
    for (const complete of incomplete.splice(0)) complete();
    const plain = entries.map(({ entry }) => entry);
    const serialized = serializeSegment(plain);
    const encoded = await encodeSegment(serialized);
    const name = segmentName(epoch, attempt, writtenCount);
    const place = segmentPlace(objectKey(prefix, name));
    const stored = options.key === null ? encoded : seal(options.key, place, encoded);
    writtenCount += 1;
    while (uploads.size >= UPLOADS_MAX) await Promise.race(uploads);
    const upload = store
      .put(objectKey(prefix, name), stored, { ifAbsent: false }, signal)
      .then(() => options.onStored(stored.length));
    const tracked = upload.finally(() => uploads.delete(tracked));
    uploads.add(tracked);
    tracked.catch(() => undefined);
    const ref: SegmentRef = {
      name,
      digest: sha256(stored),
      storedBytes: stored.length,
      entryCount: entries.length,
      contentDigest: digestEntries(plain),
    };
    return { ref, ...serialized };
  };
  const close = async (): Promise<void> => {
    if (entries.length === 0) return;
    const same = olds[0]?.segment ?? null;
    const isUntouched =
      same !== null &&
      same.entries.length === entries.length &&
      olds.every((old) => old?.segment === same);
    if (isUntouched) {
      index.addUntouched(same);
      for (const pack of same.packs) usedPacks.add(pack);
      refs.push(same.ref);
    } else {
      const { ref, text, packs } = await storeSegment();
      index.add(encodeRecord(ref, text), entries);
      for (const pack of packs) usedPacks.add(pack);
      refs.push(ref);
    }
    entries = [];
    olds = [];
  };
  return {
    add: (entry, old, complete) => {
      entries.push(entry);
      olds.push(old);
      if (complete !== null) incomplete.push(complete);
    },
    size: () => entries.length,
    close,
    finish: async (known) => {
      // No frame is added any more: the last pack goes up while the last segment is made.
      await options.frames.settle();
      const closed = close().then(() => Promise.all(uploads));
      const [{ packs }] = await Promise.all([options.packs.finish(), closed]);
      return {
        digest: sha256(refs.map(({ contentDigest }) => contentDigest).join("\n")),
        segments: refs.map((r) => [r.name, r.digest, r.storedBytes, r.entryCount, r.contentDigest]),
        packs: sizesOf(usedPacks, [packs, known]),
      };
    },
  };
};

/** Of packs of this attempt, and of those from before it. */
const sizesOf = (names: Iterable<string>, known: readonly PackSizes[]): PackSizes => {
  const sizeOf = (name: string) => known.find((sizes) => sizes.has(name))?.get(name) ?? 0;
  return new Map([...names].map((name) => [name, sizeOf(name)]));
};
