/**
 * What an index notes of each entry beside the entry itself, as bytes: flags, then the identity, the
 * block digests, the name of the clone and where that is stale, each if there is one.
 */
import { type BlockDigests, decodeBlockDigests } from "./block-digests.ts";
import type { Entry } from "./entry.ts";
import {
  encodeIdentity,
  type FileIdentity,
  IDENTITY_BYTES,
  PackedIdentity,
} from "./file-identity.ts";
import type { FileRange } from "./file-system.ts";
import type { FoundEntry, IndexedEntry, NotedClone, ReadSegment } from "./local-index.ts";

type FileNotes = Omit<IndexedEntry, "entry">;

const HAS_IDENTITY = 1;
const HAS_BLOCKS = 2;
const HAS_CLONE = 4;
const HAS_STALE = 8;
const RANGE_BYTES = 16;

/** In parts, because those of large files are large: together they are what `decodeFileNotes` takes. */
export const encodeFileNotes = (entries: readonly FileNotes[]): Buffer[] => {
  const parts: Buffer[] = [];
  for (const { identity, blocks, clone } of entries) {
    const flags =
      (identity === null ? 0 : HAS_IDENTITY) |
      (blocks === null ? 0 : HAS_BLOCKS) |
      (clone === null ? 0 : HAS_CLONE) |
      (clone === null || clone.stale.length === 0 ? 0 : HAS_STALE);
    parts.push(Buffer.of(flags));
    if (identity !== null) parts.push(encodeIdentity(identity));
    if (blocks !== null) parts.push(...withLength(blocks.encodeParts()));
    if (clone === null) continue;
    parts.push(...withLength([Buffer.from(clone.name)]));
    if (clone.stale.length > 0) parts.push(...withLength([encodeRanges(clone.stale)]));
  }
  return parts;
};

/** The segment's entries with what is noted of them, in their order. */
export const decodeFileNotes = (
  bytes: Buffer,
  entries: readonly Entry[],
  segment: ReadSegment,
): FoundEntry[] => {
  let at = 0;
  const skip = (length: number): number => {
    at += length;
    return at - length;
  };
  const takeWithLength = (): Buffer => {
    const length = bytes.readUInt32LE(skip(4));
    const start = skip(length);
    return bytes.subarray(start, at);
  };
  const takeClone = (flags: number): NotedClone | null => {
    if ((flags & HAS_CLONE) === 0) return null;
    const name = takeWithLength().toString();
    return { name, stale: (flags & HAS_STALE) === 0 ? [] : decodeRanges(takeWithLength()) };
  };
  return entries.map((entry) => {
    const flags = bytes[skip(1)] ?? 0;
    const identity =
      (flags & HAS_IDENTITY) === 0 ? null : new PackedIdentity(bytes, skip(IDENTITY_BYTES));
    const blocks = (flags & HAS_BLOCKS) === 0 ? null : takeWithLength();
    return new NotedEntry({ entry, segment, identity, clone: takeClone(flags) }, blocks);
  });
};

/** The digests of most files nobody looks at: they are decoded for those that somebody does. */
class NotedEntry implements FoundEntry {
  readonly entry: Entry;
  readonly segment: ReadSegment;
  readonly identity: FileIdentity | null;
  readonly clone: NotedClone | null;
  readonly #encoded: Buffer | null;
  #blocks: BlockDigests | null = null;
  constructor(
    { entry, segment, identity, clone }: Omit<FoundEntry, "blocks">,
    encoded: Buffer | null,
  ) {
    this.entry = entry;
    this.segment = segment;
    this.identity = identity;
    this.clone = clone;
    this.#encoded = encoded;
  }
  get blocks(): BlockDigests | null {
    if (this.#blocks === null && this.#encoded !== null) {
      this.#blocks = decodeBlockDigests(this.#encoded);
    }
    return this.#blocks;
  }
}

const encodeRanges = (ranges: readonly FileRange[]): Buffer => {
  const bytes = Buffer.allocUnsafe(ranges.length * RANGE_BYTES);
  for (const [i, { offset, length }] of ranges.entries()) {
    bytes.writeBigUInt64LE(BigInt(offset), i * RANGE_BYTES);
    bytes.writeBigUInt64LE(BigInt(length), i * RANGE_BYTES + 8);
  }
  return bytes;
};

const decodeRanges = (bytes: Buffer): FileRange[] =>
  Array.from({ length: bytes.length / RANGE_BYTES }, (_, i) => ({
    offset: Number(bytes.readBigUInt64LE(i * RANGE_BYTES)),
    length: Number(bytes.readBigUInt64LE(i * RANGE_BYTES + 8)),
  }));

const withLength = (parts: readonly Buffer[]): Buffer[] => {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(byteLengthOf(parts));
  return [length, ...parts];
};

export const byteLengthOf = (parts: readonly Buffer[]): number =>
  parts.reduce((sum, { length }) => sum + length, 0);
