/**
 * Content digests that do not depend on how the content was found or stored: fixed blocks, zero
 * blocks left out. A changed block costs its own hash, not a read of the whole file.
 */
import { createHash } from "node:crypto";
import { sha256Bytes } from "./digest.ts";
import { BLOCK_BYTES, type Entry } from "./entry.ts";

const DIGEST_BYTES = 32;
const ZERO_BLOCK = Buffer.alloc(BLOCK_BYTES);

/** Digests of a file's blocks by block index; a block of zeros has none. */
export type BlockDigests = Map<number, Buffer>;

/** The block's digest, or null for zeros (a hole and written zeros are the same content). */
export const digestBlock = (block: Buffer): Buffer | null =>
  block.equals(block.length === BLOCK_BYTES ? ZERO_BLOCK : ZERO_BLOCK.subarray(0, block.length))
    ? null
    : sha256Bytes(block);

/** SHA-256 over the size and, in order, each non-zero block's index and digest. */
export const digestFile = (size: number, blocks: BlockDigests): string => {
  const digest = createHash("sha256");
  const number = Buffer.alloc(8);
  number.writeBigUInt64LE(BigInt(size));
  digest.update(number);
  for (const [index, block] of [...blocks].sort(([a], [b]) => a - b)) {
    number.writeBigUInt64LE(BigInt(index));
    digest.update(number).update(block);
  }
  return digest.digest("hex");
};

const RECORD_BYTES = 4 + DIGEST_BYTES;

export const encodeBlocks = (blocks: BlockDigests): string => {
  const bytes = Buffer.alloc(blocks.size * RECORD_BYTES);
  let at = 0;
  for (const [index, digest] of blocks) {
    bytes.writeUInt32LE(index, at);
    digest.copy(bytes, at + 4);
    at += RECORD_BYTES;
  }
  return bytes.toString("base64");
};

export const decodeBlocks = (text: string): BlockDigests => {
  const bytes = Buffer.from(text, "base64");
  const blocks: BlockDigests = new Map();
  for (let at = 0; at + RECORD_BYTES <= bytes.length; at += RECORD_BYTES) {
    blocks.set(bytes.readUInt32LE(at), bytes.subarray(at + 4, at + RECORD_BYTES));
  }
  return blocks;
};

/** What an entry is, without where it is stored: for the digest of a whole tree. */
export const describeEntry = (entry: Entry): string => {
  const { path, type, mode, uid, gid, mtimeNs, xattrs } = entry;
  return JSON.stringify([
    path.toString("base64"),
    type,
    mode,
    uid,
    gid,
    String(mtimeNs),
    xattrs.map(({ name, value }) => [name, value.toString("base64")]),
    entry.type === "file" ? [entry.size, entry.digest] : null,
    entry.type === "symlink" || entry.type === "hardlink" ? entry.target.toString("base64") : null,
  ]);
};
