/**
 * Digests of a file's blocks, in pages, so that a file of some gigabytes costs megabytes and a hole
 * costs nothing. A changed block then costs its own hash, not a read of the whole file.
 */
import { createHash } from "node:crypto";
import { sha256Bytes } from "./digest.ts";

/** Data are compared and addressed in blocks: a database page is one or some of them. */
export const BLOCK_BYTES = 4_096;
/** Beyond so many blocks the blocks grow instead: 8 GiB in blocks of 4 KiB, 64 GiB of 32 KiB. */
const BLOCKS_MAX = 2 ** 21;

export const DIGEST_BYTES = 32;
const PAGE_BLOCKS = 1_024;
const PAGE_HEADER_BYTES = 8;
const NO_DIGEST = Buffer.alloc(DIGEST_BYTES);
const ZEROS = Buffer.alloc(2 ** 20);

/** Block size of a file of this size. Depends on nothing else, so that equal files agree. */
export const blockBytesOf = (size: number): number => {
  let bytes = BLOCK_BYTES;
  while (size > bytes * BLOCKS_MAX) bytes *= 2;
  return bytes;
};

export const isZero = (block: Buffer): boolean => {
  if (block[0] !== 0) return false;
  for (let at = 0; at < block.length; at += ZEROS.length) {
    const part = block.subarray(at, at + ZEROS.length);
    if (!part.equals(ZEROS.subarray(0, part.length))) return false;
  }
  return true;
};

/** The block's digest, or null for zeros (a hole and written zeros are the same content). */
export const digestBlock = (block: Buffer): Buffer | null =>
  isZero(block) ? null : sha256Bytes(block);

/** The blocks' digests one after another, `DIGEST_BYTES` each; zeros for a block of zeros. */
export const blockDigestsOf = (bytes: Buffer, blockBytes: number): Buffer => {
  const digests = Buffer.allocUnsafeSlow(Math.ceil(bytes.length / blockBytes) * DIGEST_BYTES);
  for (let at = 0, to = 0; at < bytes.length; at += blockBytes, to += DIGEST_BYTES) {
    const block = bytes.subarray(at, at + blockBytes);
    (digestBlock(block) ?? NO_DIGEST).copy(digests, to);
  }
  return digests;
};

export interface BlockDigests {
  /** The block's digest, or null: zeros. A view: copy it to keep it. */
  get(index: number): Buffer | null;
  set(index: number, digest: Buffer | null): void;
  /** Sets blocks in a row, from what `blockDigestsOf` gave. */
  setRun(first: number, digests: Uint8Array): void;
  /** Whether the block at the index has this digest (null: is zeros). */
  has(index: number, digest: Buffer | null): boolean;
  /** Indexes of blocks that are not zeros in [from, to), ascending. */
  nonZero(from: number, to: number): Generator<number>;
  /** Forgets the blocks from this index on. */
  truncate(count: number): void;
  copy(): BlockDigests;
  /** SHA-256, in hex, over the file's size and its pages: see docs/format.md, "Content digest". */
  digestFile(size: number): string;
  encode(): Buffer;
  /** What `encode` gives, in parts that are views of the digests: not to be kept over a change. */
  encodeParts(): Buffer[];
}

/** Digests by page number; a page may be shorter than PAGE_BLOCKS, the rest of it is zeros. */
type Pages = Map<number, Buffer>;

export const createBlockDigests = (): BlockDigests => openPages(new Map());

/** What `encode` gave. Bytes that are cut short give fewer pages, never wrong ones. */
export const decodeBlockDigests = (bytes: Buffer): BlockDigests => {
  const pages: Pages = new Map();
  for (let at = 0; at + PAGE_HEADER_BYTES <= bytes.length; ) {
    const page = bytes.readUInt32LE(at);
    const length = bytes.readUInt32LE(at + 4) * DIGEST_BYTES;
    at += PAGE_HEADER_BYTES;
    if (at + length > bytes.length) break;
    pages.set(page, bytes.subarray(at, at + length));
    at += length;
  }
  return openPages(pages, true);
};

const openPages = (pages: Pages, isShared = false): BlockDigests => {
  /** Pages that are views of someone else's bytes are copied before the first change. */
  const shared = isShared ? new Set(pages.keys()) : new Set<number>();
  const get = (index: number): Buffer | null => {
    const page = pages.get(Math.floor(index / PAGE_BLOCKS));
    const at = (index % PAGE_BLOCKS) * DIGEST_BYTES;
    if (page === undefined || at >= page.length) return null;
    const digest = page.subarray(at, at + DIGEST_BYTES);
    return digest.equals(NO_DIGEST) ? null : digest;
  };
  const set = (index: number, digest: Buffer | null): void => {
    const number = Math.floor(index / PAGE_BLOCKS);
    const at = (index % PAGE_BLOCKS) * DIGEST_BYTES;
    let page = pages.get(number) ?? EMPTY;
    if (at >= page.length || shared.delete(number)) {
      if (digest === null && at >= page.length) return;
      const wanted = Math.max(page.length, at + DIGEST_BYTES);
      const grown = Buffer.alloc(at >= page.length ? growTo(wanted, page.length) : wanted);
      page.copy(grown);
      pages.set(number, grown);
      page = grown;
    }
    (digest ?? NO_DIGEST).copy(page, at);
  };
  const setRun = (first: number, digests: Uint8Array): void => {
    for (let done = 0; done < digests.length; ) {
      const index = first + done / DIGEST_BYTES;
      const number = Math.floor(index / PAGE_BLOCKS);
      const at = (index % PAGE_BLOCKS) * DIGEST_BYTES;
      const end = Math.min(PAGE_BLOCKS * DIGEST_BYTES, at + digests.length - done);
      const page = pages.get(number) ?? EMPTY;
      const isShared = shared.delete(number);
      const room =
        end <= page.length && !isShared ? page : Buffer.alloc(Math.max(page.length, end));
      if (room !== page) page.copy(room);
      room.set(digests.subarray(done, done + end - at), at);
      pages.set(number, room);
      done += end - at;
    }
  };
  return {
    get,
    set,
    setRun,
    has: (index, digest) => {
      const known = get(index);
      return known === null || digest === null ? known === digest : known.equals(digest);
    },
    nonZero: function* (from, to) {
      for (const number of sortedKeys(pages)) {
        const first = Math.max(from, number * PAGE_BLOCKS);
        const length = (pages.get(number)?.length ?? 0) / DIGEST_BYTES;
        const end = Math.min(to, number * PAGE_BLOCKS + length);
        for (let index = first; index < end; index += 1) if (get(index) !== null) yield index;
      }
    },
    truncate: (count) => {
      const last = Math.floor(count / PAGE_BLOCKS);
      for (const number of [...pages.keys()]) if (number > last) pages.delete(number);
      const page = pages.get(last);
      const kept = page?.subarray(0, (count % PAGE_BLOCKS) * DIGEST_BYTES);
      if (page !== undefined && kept !== undefined && kept.length < page.length) {
        pages.set(last, Buffer.from(kept));
      }
    },
    copy: () => {
      // Both go on with the same pages, and whoever changes one copies it first.
      for (const number of pages.keys()) shared.add(number);
      return openPages(new Map(pages), true);
    },
    digestFile: (size) => {
      const digest = createHash("sha256");
      const head = Buffer.alloc(8);
      head.writeBigUInt64LE(BigInt(size));
      digest.update(head);
      for (const part of encodePages(pages)) digest.update(part);
      return digest.digest("hex");
    },
    encode: () => Buffer.concat([...encodePages(pages)]),
    encodeParts: () => [...encodePages(pages)],
  };
};

const EMPTY = Buffer.alloc(0);

const growTo = (wanted: number, length: number): number =>
  Math.min(PAGE_BLOCKS * DIGEST_BYTES, length === 0 ? wanted : Math.max(wanted, 2 * length));

const sortedKeys = (pages: Pages): number[] => [...pages.keys()].sort((a, b) => a - b);

/** Each page that is not all zeros: its number, its count of digests, and those, none at the end zero. */
function* encodePages(pages: Pages): Generator<Buffer> {
  for (const number of sortedKeys(pages)) {
    const page = pages.get(number) ?? EMPTY;
    let length = page.length;
    while (length > 0 && page.subarray(length - DIGEST_BYTES, length).equals(NO_DIGEST)) {
      length -= DIGEST_BYTES;
    }
    if (length === 0) continue;
    const header = Buffer.alloc(PAGE_HEADER_BYTES);
    header.writeUInt32LE(number, 0);
    header.writeUInt32LE(length / DIGEST_BYTES, 4);
    yield header;
    yield page.subarray(0, length);
  }
}
