/**
 * The node's memory of a snapshot: every entry with its place in the store, the identity of the file
 * it was read from, and its block digests. It stands beside the data, never in the store. Read and
 * written segment by segment, so that memory does not grow with the number of files.
 */
import {
  closeSync,
  createReadStream,
  existsSync,
  fsyncSync,
  openSync,
  renameSync,
  writeSync,
} from "node:fs";
import { createInterface } from "node:readline";
import { type BlockDigests, decodeBlocks, encodeBlocks } from "./content-digest.ts";
import type { Entry } from "./entry.ts";
import { type SegmentJson, segmentFromJson, segmentToJson } from "./tree.ts";

/** What tells that a file is the same file, untouched. Times in nanoseconds. */
export interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly ctimeNs: bigint;
  readonly mtimeNs: bigint;
}

export interface IndexedEntry {
  readonly entry: Entry;
  /** Null: not to be trusted, the file must be read again. */
  readonly identity: FileIdentity | null;
  /** Files only; empty for others. */
  readonly blocks: BlockDigests;
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

/** A segment read back, with the line it was read from: an untouched segment is copied as it is. */
export interface ReadSegment extends IndexedSegment {
  readonly line: string;
}

/** Sizes by pack name. */
export type PackSizes = ReadonlyMap<string, number>;

const END = "end ";

export interface IndexHeader {
  readonly format: 1;
  readonly snapshotId: string;
}

interface SegmentLine {
  readonly ref: SegmentRef;
  readonly segment: SegmentJson;
  readonly files: ([string, string, string, string, string, string] | null)[];
}

const identityToJson = ({ identity, blocks }: IndexedEntry): SegmentLine["files"][number] =>
  identity === null
    ? null
    : [
        String(identity.dev),
        String(identity.ino),
        String(identity.size),
        String(identity.ctimeNs),
        String(identity.mtimeNs),
        encodeBlocks(blocks),
      ];

export interface IndexWriter {
  /** Returns the packs that the segment names. */
  add(ref: SegmentRef, entries: readonly IndexedEntry[]): readonly string[];
  addUntouched(segment: ReadSegment): void;
  /** Makes the index the one that readers find, durably. */
  commit(packs: PackSizes): void;
  abandon(): void;
}

/** Writes beside the file and replaces it on commit. */
export const createIndex = (file: string, header: IndexHeader): IndexWriter => {
  const draft = `${file}.draft`;
  const fd = openSync(draft, "w", 0o600);
  writeSync(fd, `${JSON.stringify(header)}\n`);
  return {
    add: (ref, entries) => {
      const segment = segmentToJson(entries.map(({ entry }) => entry));
      const line: SegmentLine = { ref, segment, files: entries.map(identityToJson) };
      writeSync(fd, `${JSON.stringify(line)}\n`);
      return segment.packs;
    },
    addUntouched: ({ line }) => {
      writeSync(fd, `${line}\n`);
    },
    commit: (packs) => {
      writeSync(fd, `${END}${JSON.stringify([...packs])}\n`);
      fsyncSync(fd);
      closeSync(fd);
      renameSync(draft, file);
    },
    abandon: () => closeSync(fd),
  };
};

export interface IndexReader {
  readonly header: IndexHeader;
  segments(): AsyncGenerator<ReadSegment>;
  /** Known once the segments have been read to their end. */
  packs(): PackSizes;
}

/**
 * The index at the path, or null when there is none to trust: absent, of another format, or cut
 * short. A missing index costs a full read, never a wrong snapshot.
 */
export const openIndex = async (file: string): Promise<IndexReader | null> => {
  if (!existsSync(file)) return null;
  const lines = readLines(file);
  const first = await lines.next();
  if (first.done === true) return null;
  const header = parseHeader(first.value);
  await lines.return(undefined);
  if (header === null) return null;
  let packs: PackSizes = new Map();
  return {
    header,
    segments: () =>
      readSegments(file, (found) => {
        packs = found;
      }),
    packs: () => packs,
  };
};

const parseHeader = (line: string): IndexHeader | null => {
  try {
    const header = JSON.parse(line) as Partial<IndexHeader>;
    return header.format === 1 && typeof header.snapshotId === "string"
      ? { format: 1, snapshotId: header.snapshotId }
      : null;
  } catch {
    return null;
  }
};

async function* readSegments(
  file: string,
  onEnd: (packs: PackSizes) => void,
): AsyncGenerator<ReadSegment> {
  let isHeader = true;
  for await (const line of readLines(file)) {
    if (line.startsWith(END)) {
      onEnd(new Map(JSON.parse(line.slice(END.length)) as [string, number][]));
      return;
    }
    if (!isHeader) yield parseSegment(line);
    isHeader = false;
  }
}

const parseSegment = (line: string): ReadSegment => {
  const { ref, segment, files } = JSON.parse(line) as SegmentLine;
  const entries = segmentFromJson(segment);
  return {
    ref,
    line,
    packs: segment.packs,
    entries: entries.map((entry, i): IndexedEntry => {
      const row = files[i] ?? null;
      if (row === null) return { entry, identity: null, blocks: new Map() };
      const [dev, ino, size, ctimeNs, mtimeNs, blocks] = row;
      const identity = {
        dev: BigInt(dev),
        ino: BigInt(ino),
        size: BigInt(size),
        ctimeNs: BigInt(ctimeNs),
        mtimeNs: BigInt(mtimeNs),
      };
      return { entry, identity, blocks: decodeBlocks(blocks) };
    }),
  };
};

async function* readLines(file: string): AsyncGenerator<string> {
  const stream = createReadStream(file, { encoding: "utf8", highWaterMark: 2 ** 20 });
  try {
    yield* createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
  } finally {
    stream.destroy();
  }
}
