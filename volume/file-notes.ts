/**
 * What an index notes of each entry beside the entry itself, as bytes: flags, then the identity, the
 * block digests, the name of the clone and where that is stale, each if there is one.
 */
import { type BlockDigests, decodeBlockDigests } from "./block-digests.ts";
import type { FileRange } from "./file-system.ts";
import type { FileIdentity, IndexedEntry } from "./local-index.ts";

type FileNotes = Omit<IndexedEntry, "entry">;

const HAS_IDENTITY = 1;
const HAS_BLOCKS = 2;
const HAS_CLONE = 4;
const HAS_STALE = 8;
const RANGE_BYTES = 16;
export const IDENTITY_BYTES = 40;

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

export const decodeFileNotes = (bytes: Buffer, count: number): FileNotes[] => {
  let at = 0;
  const take = (length: number): Buffer => {
    at += length;
    return bytes.subarray(at - length, at);
  };
  const takeWithLength = (): Buffer => take(take(4).readUInt32LE());
  return Array.from({ length: count }, (): FileNotes => {
    const flags = take(1)[0] ?? 0;
    const identity = (flags & HAS_IDENTITY) === 0 ? null : decodeIdentity(take(IDENTITY_BYTES));
    const blocks: BlockDigests | null =
      (flags & HAS_BLOCKS) === 0 ? null : decodeBlockDigests(takeWithLength());
    if ((flags & HAS_CLONE) === 0) return { identity, blocks, clone: null };
    const name = takeWithLength().toString();
    const stale = (flags & HAS_STALE) === 0 ? [] : decodeRanges(takeWithLength());
    return { identity, blocks, clone: { name, stale } };
  });
};

export const encodeIdentity = (identity: FileIdentity): Buffer => {
  const bytes = Buffer.allocUnsafe(IDENTITY_BYTES);
  bytes.writeBigUInt64LE(identity.dev, 0);
  bytes.writeBigUInt64LE(identity.ino, 8);
  bytes.writeBigUInt64LE(identity.size, 16);
  bytes.writeBigInt64LE(identity.ctimeNs, 24);
  bytes.writeBigInt64LE(identity.mtimeNs, 32);
  return bytes;
};

export const decodeIdentity = (bytes: Buffer): FileIdentity => ({
  dev: bytes.readBigUInt64LE(0),
  ino: bytes.readBigUInt64LE(8),
  size: bytes.readBigUInt64LE(16),
  ctimeNs: bytes.readBigInt64LE(24),
  mtimeNs: bytes.readBigInt64LE(32),
});

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
