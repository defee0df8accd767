/**
 * The node's memory of a snapshot: every entry with its place in the store, the identity of the file
 * it was read from, and its block digests. It stands beside the data, never in the store. Read and
 * written segment by segment, so that memory does not grow with the number of files.
 */
import { closeSync, fsync, openSync, readSync, renameSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { crc32 } from "node:zlib";
import type { BlockDigests } from "./block-digests.ts";
import { readBootId } from "./boot-id.ts";
import type { Entry } from "./entry.ts";
import type { FileIdentity } from "./file-identity.ts";
import { byteLengthOf, decodeFileNotes, encodeFileNotes } from "./file-notes.ts";
import type { FileRange } from "./file-system.ts";
import { encodeChecksum, hasChecksum } from "./index-checksum.ts";
import { encodeHeader, type IndexHeader, parseHeader } from "./index-header.ts";
import { type SegmentJson, segmentFromJson } from "./tree.ts";
import { writeParts } from "./write-parts.ts";

/** A clone of a file as it was once, where the file system has clones. */
export interface NotedClone {
  readonly name: string;
  /** Where it may differ from the entry, which elsewhere is as the clone, and zeros beyond its end. */
  readonly stale: readonly FileRange[];
}

export interface IndexedEntry {
  readonly entry: Entry;
  /** Null: not to be trusted, the file must be read again. */
  readonly identity: FileIdentity | null;
  /** Files only; null for others. */
  readonly blocks: BlockDigests | null;
  /** What to compare the file with next time; null: there is none. */
  readonly clone: NotedClone | null;
}

/** A segment as it stands in the store. */
export interface SegmentRef {
  readonly name: string;
  readonly digest: string;
  readonly storedBytes: number;
  readonly entryCount: number;
  readonly contentDigest: string;
}

export interface IndexedSegment {
  readonly ref: SegmentRef;
  readonly entries: readonly IndexedEntry[];
  /** Packs that the segment's files need. */
  readonly packs: readonly string[];
}

/** A segment read back, with the bytes it was read from: an untouched one is copied as it is. */
export interface ReadSegment extends IndexedSegment {
  readonly entries: readonly FoundEntry[];
  readonly record: Record;
}

export interface FoundEntry extends IndexedEntry {
  readonly segment: ReadSegment;
}

/** Sizes by pack name. */
export type PackSizes = ReadonlyMap<string, number>;

interface Record {
  readonly kind: number;
  readonly json: Buffer;
  readonly notes: Buffer;
}

/** A record: its kind, the lengths of its two parts, and those. */
const RECORD_HEADER_BYTES = 9;
const HEADER = 0x48;
const SEGMENT = 0x53;
const END = 0x45;

export interface IndexWriter {
  /** `json`: what `encodeRecord` gave for the segment of these entries. */
  add(json: Buffer, entries: readonly IndexedEntry[]): void;
  addUntouched(segment: ReadSegment): void;
  /** From now on what is added waits in memory for the commit, so as not to be synced with the data. */
  hold(): void;
  /** Nothing is added any more. */
  end(packs: PackSizes): void;
  /**
   * After `end`: makes the index the one that readers find. `isUrgent`: somebody waits for what comes
   * next, so that the disk is left to that for a while.
   */
  commit(options?: { readonly isUrgent: boolean }): CommittedIndex;
  abandon(): void;
}

export interface CommittedIndex {
  /** It is on the disk and says so; or it can't be, and is as good as what is left of it. Never rejects. */
  readonly settled: Promise<void>;
}

/** Writes to the draft and makes it the index on commit. An abandoned draft stays. */
export const createIndex = (
  file: string,
  { snapshotId, isSealed }: Pick<IndexHeader, "snapshotId" | "isSealed">,
  draft = `${file}.draft`,
): IndexWriter => {
  const fd = openSync(draft, "w", 0o600);
  let isCommitted = false;
  let checksum = 0;
  let held: Buffer[] | null = null;
  const append = (parts: readonly Buffer[]): void => {
    for (const part of parts) checksum = crc32(part, checksum);
    if (held === null) writeParts(fd, parts);
    else held = held.concat(parts);
  };
  const write = (kind: number, json: Buffer, notes: readonly Buffer[]): void => {
    const header = Buffer.alloc(RECORD_HEADER_BYTES);
    header.writeUInt8(kind, 0);
    header.writeUInt32LE(json.length, 1);
    header.writeUInt32LE(byteLengthOf(notes), 5);
    append([header, json, ...notes]);
  };
  const header = encodeHeader({ snapshotId, isSealed });
  write(HEADER, header.bytes, []);
  const reachDisk = async (isUrgent: boolean): Promise<void> => {
    if (isUrgent) await sleep(URGENT_MS, null, { ref: false });
    await promisify(fsync)(fd);
    const { at, bytes } = header.whenDurable;
    writeSync(fd, bytes, 0, bytes.length, RECORD_HEADER_BYTES + at);
  };
  return {
    add: (json, entries) => write(SEGMENT, json, encodeFileNotes(entries)),
    addUntouched: ({ record: { kind, json, notes } }) => write(kind, json, [notes]),
    hold: () => {
      held = [];
    },
    end: (packs) => {
      write(END, Buffer.from(JSON.stringify([...packs])), []);
      append([encodeChecksum(checksum)]);
    },
    commit: ({ isUrgent } = { isUrgent: false }) => {
      writeParts(fd, held ?? []);
      renameSync(draft, file);
      isCommitted = true;
      const settled = reachDisk(isUrgent)
        .catch(() => undefined)
        .finally(() => closeSync(fd));
      return { settled };
    },
    // What fails after the commit abandons too: the descriptor is then the commit's to close.
    abandon: () => {
      if (!isCommitted) closeSync(fd);
    },
  };
};

/** Longer than a node needs to report what it has done, and shorter than anybody waits for a file system. */
const URGENT_MS = 1_000;

export interface IndexReader {
  readonly header: IndexHeader;
  /** Ends early when the index is cut short: what came before is true all the same. */
  segments(): Generator<ReadSegment>;
  /**
   * Reads the segment, or null if the index has it not as it stands in the store. `segments` gives the
   * same object when its turn comes next, so that no segment is read twice.
   */
  find(ref: SegmentRef): (() => ReadSegment | null) | null;
  /** Known once the segments have been read to their end. */
  packs(): PackSizes;
  close(): void;
}

/**
 * The index at the path, or null when there is none to trust: absent, of another format, or damaged
 * before it was on the disk. A missing index costs a full read, never a wrong snapshot. Close it after use.
 */
export const openIndex = (file: string): IndexReader | null =>
  openTrusted(file, ({ isDurable }, fd) => isDurable || hasChecksum(fd));

/** As far as it was written. What was not yet synced is only as good as the memory it stands in. */
export const openDraft = (file: string): IndexReader | null =>
  openTrusted(file, ({ bootId }) => bootId === readBootId());

const openTrusted = (
  file: string,
  isTrusted: (header: IndexHeader, fd: number) => boolean,
): IndexReader | null => {
  let fd: number;
  try {
    fd = openSync(file, "r");
  } catch {
    return null;
  }
  const first = readRecord(fd, 0);
  const header = first?.kind === HEADER ? parseHeader(first.json) : null;
  if (first === null || header === null || !isTrusted(header, fd)) {
    closeSync(fd);
    return null;
  }
  let packs: PackSizes = new Map();
  let places: ReadonlyMap<string, number> | null = null;
  let last: { readonly at: number; readonly segment: ReadSegment } | null = null;
  const segmentOf = (record: Record, at: number): ReadSegment => {
    if (last?.at !== at) last = { at, segment: parseSegment(record) };
    return last.segment;
  };
  const recordAt = (at: number): Record | null =>
    last?.at === at ? last.segment.record : readRecord(fd, at);
  return {
    header,
    segments: function* () {
      let at = recordBytes(first);
      for (let record = recordAt(at); record !== null; record = recordAt(at)) {
        if (record.kind === END) {
          packs = new Map(JSON.parse(record.json.toString()) as [string, number][]);
          return;
        }
        yield segmentOf(record, at);
        at += recordBytes(record);
      }
    },
    find: ({ name, digest }) => {
      places ??= locateSegments(fd, recordBytes(first));
      const at = places.get(placeName(name, digest));
      if (at === undefined) return null;
      return () => {
        const record = recordAt(at);
        return record === null ? null : segmentOf(record, at);
      };
    },
    packs: () => packs,
    close: () => closeSync(fd),
  };
};

const recordBytes = ({ json, notes }: Record): number =>
  RECORD_HEADER_BYTES + json.length + notes.length;

/** Null at the end of the file, or where it is cut short. */
const readHeader = (fd: number, at: number) => {
  const header = readExactly(fd, at, RECORD_HEADER_BYTES);
  if (header === null) return null;
  const [jsonBytes, notesBytes] = [header.readUInt32LE(1), header.readUInt32LE(5)];
  return { kind: header.readUInt8(0), jsonBytes, bodyBytes: jsonBytes + notesBytes };
};

const readRecord = (fd: number, at: number): Record | null => {
  const header = readHeader(fd, at);
  if (header === null) return null;
  const { kind, jsonBytes, bodyBytes } = header;
  const body = readExactly(fd, at + RECORD_HEADER_BYTES, bodyBytes);
  if (body === null) return null;
  return { kind, json: body.subarray(0, jsonBytes), notes: body.subarray(jsonBytes) };
};

/** A segment's record begins with its ref: where each one stands is told without reading the entries. */
const REF_PREFIX = '{"ref":';
const REF_BYTES_MAX = 1_024;

/** What the index has of a segment beside the notes of its files; `text`: as it is in the store. */
export const encodeRecord = (ref: SegmentRef, text: Buffer): Buffer =>
  Buffer.concat([
    Buffer.from(`${REF_PREFIX}${JSON.stringify(ref)},"segment":`),
    text,
    Buffer.from("}"),
  ]);

const placeName = (name: string, digest: string): string => `${name} ${digest}`;

const locateSegments = (fd: number, from: number): ReadonlyMap<string, number> => {
  const places = new Map<string, number>();
  for (let at = from; ; ) {
    const header = readHeader(fd, at);
    if (header?.kind !== SEGMENT) return places;
    const startBytes = Math.min(header.jsonBytes, REF_BYTES_MAX);
    const start = readExactly(fd, at + RECORD_HEADER_BYTES, startBytes);
    if (start === null) return places;
    const text = start.toString("latin1");
    const end = text.indexOf("}") + 1;
    if (!text.startsWith(REF_PREFIX) || end === 0) return places;
    const { name, digest } = JSON.parse(text.slice(REF_PREFIX.length, end)) as SegmentRef;
    places.set(placeName(name, digest), at);
    at += RECORD_HEADER_BYTES + header.bodyBytes;
  }
};

const readExactly = (fd: number, at: number, length: number): Buffer | null => {
  const bytes = Buffer.allocUnsafe(length);
  for (let done = 0; done < length; ) {
    const read = readSync(fd, bytes, done, length - done, at + done);
    if (read === 0) return null;
    done += read;
  }
  return bytes;
};

const parseSegment = (record: Record): ReadSegment => {
  const { ref, segment } = JSON.parse(record.json.toString()) as {
    readonly ref: SegmentRef;
    readonly segment: SegmentJson;
  };
  const entries = segmentFromJson(segment, ref.name);
  const found: FoundEntry[] = [];
  const read: ReadSegment = { ref, record, packs: segment.packs, entries: found };
  found.push(...decodeFileNotes(record.notes, entries, read));
  return read;
};
