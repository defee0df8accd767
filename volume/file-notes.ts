/**
 * What an index notes of each entry beside the entry itself, as bytes: flags, then the identity, the
 * block digests and the name of the clone, each if there is one.
 */
import { type BlockDigests, decodeBlockDigests } from "./block-digests.ts";
import type { FileIdentity, IndexedEntry } from "./local-index.ts";

type FileNotes = Omit<IndexedEntry, "entry">;

const HAS_IDENTITY = 1;
const HAS_BLOCKS = 2;
const HAS_CLONE = 4;
export const IDENTITY_BYTES = 40;

/** In parts, because those of large files are large: together they are what `decodeFileNotes` takes. */
export const encodeFileNotes = (entries: readonly FileNotes[]): Buffer[] => {
  const parts: Buffer[] = [];
  for (const { identity, blocks, clone } of entries) {
    const flags =
      (identity === null ? 0 : HAS_IDENTITY) |
      (blocks === null ? 0 : HAS_BLOCKS) |
      (clone === null ? 0 : HAS_CLONE);
    parts.push(Buffer.of(flags));
    if (identity !== null) parts.push(encodeIdentity(identity));
    if (blocks !== null) parts.push(...withLength(blocks.encodeParts()));
    if (clone !== null) parts.push(...withLength([Buffer.from(clone)]));
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
    const clone = (flags & HAS_CLONE) === 0 ? null : takeWithLength().toString();
    return { identity, blocks, clone };
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

const withLength = (parts: readonly Buffer[]): Buffer[] => {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(byteLengthOf(parts));
  return [length, ...parts];
};

export const byteLengthOf = (parts: readonly Buffer[]): number =>
  parts.reduce((sum, { length }) => sum + length, 0);
