/**
 * Reads a file by blocks and hands on only the blocks that differ from the last snapshot. What is
 * unchanged keeps its place in the store.
 */
import { fstatSync, readSync } from "node:fs";
import { type BlockDigests, digestBlock, digestFile } from "../content-digest.ts";
import { BLOCK_BYTES, type Extent } from "../entry.ts";
import type { FileSystem } from "../file-system.ts";
import type { FrameBuilder } from "../frame-builder.ts";
import type { FileIdentity } from "../local-index.ts";

const READ_BYTES = 64 * BLOCK_BYTES;

export interface KnownFile {
  readonly extents: readonly Extent[];
  readonly blocks: BlockDigests;
}

export interface ReadFile {
  readonly size: number;
  readonly digest: string;
  readonly extents: readonly Extent[];
  readonly blocks: BlockDigests;
  readonly changedBytes: number;
  /** As it was before and after reading; null when it changed meanwhile. */
  readonly identity: FileIdentity | null;
}

export const identityOf = (fd: number): FileIdentity & { readonly nlink: bigint } => {
  const { dev, ino, size, ctimeNs, mtimeNs, nlink } = fstatSync(fd, { bigint: true });
  return { dev, ino, size, ctimeNs, mtimeNs, nlink };
};

export const sameIdentity = (a: FileIdentity, b: FileIdentity): boolean =>
  a.dev === b.dev &&
  a.ino === b.ino &&
  a.size === b.size &&
  a.ctimeNs === b.ctimeNs &&
  a.mtimeNs === b.mtimeNs;

/** The file open at `fd`. A file that shrinks while it is read reads as zeros from there on. */
export const readFile = async (
  fd: number,
  known: KnownFile,
  frames: FrameBuilder,
  fileSystem: FileSystem,
): Promise<ReadFile> => {
  const before = identityOf(fd);
  const size = Number(before.size);
  const blocks: BlockDigests = new Map();
  const extents = collectExtents();
  const keep = keptExtents(known.extents);
  let changedBytes = 0;
  for (const range of fileSystem.dataRanges(fd, size)) {
    const end = Math.min(size, roundUp(range.offset + range.length));
    let at = range.offset - (range.offset % BLOCK_BYTES);
    while (at < end) {
      const chunk = readChunk(fd, at, Math.min(READ_BYTES, end - at));
      for (let start = 0; start < chunk.length; start += BLOCK_BYTES) {
        const block = chunk.subarray(start, start + BLOCK_BYTES);
        const index = (at + start) / BLOCK_BYTES;
        const digest = digestBlock(block);
        if (digest === null || blocks.has(index)) continue;
        blocks.set(index, digest);
        const old = known.blocks.get(index)?.equals(digest) ? keep(at + start, block.length) : null;
        if (old === null) changedBytes += block.length;
        extents.add(
          old ?? { offset: at + start, length: block.length, ...(await frames.append(block)) },
        );
      }
      at += chunk.length;
    }
  }
  const after = identityOf(fd);
  return {
    size,
    digest: digestFile(size, blocks),
    extents: extents.all,
    blocks,
    changedBytes,
    identity: sameIdentity(before, after) ? before : null,
  };
};

const roundUp = (offset: number): number => Math.ceil(offset / BLOCK_BYTES) * BLOCK_BYTES;

/** Exactly `length` bytes; what the file no longer has is zeros. A fresh buffer each time. */
const readChunk = (fd: number, offset: number, length: number): Buffer => {
  const chunk = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const read = readSync(fd, chunk, done, length - done, offset + done);
    if (read === 0) break;
    done += read;
  }
  return chunk;
};

/** Appends extents in file order, joining what continues the one before. */
const collectExtents = (): { readonly all: Extent[]; add(extent: Extent): void } => {
  const all: Extent[] = [];
  return {
    all,
    add: (extent) => {
      const last = all.at(-1);
      const continues =
        last !== undefined &&
        last.frame === extent.frame &&
        last.offset + last.length === extent.offset &&
        last.frameOffset + last.length === extent.frameOffset;
      if (continues) all[all.length - 1] = { ...last, length: last.length + extent.length };
      else all.push(extent);
    },
  };
};

/** Where a block stands that the last snapshot has; asked for in file order. */
const keptExtents = (extents: readonly Extent[]) => {
  let at = 0;
  return (offset: number, length: number): Extent | null => {
    while (at < extents.length) {
      const extent = extents[at];
      if (extent === undefined) return null;
      const end = extent.offset + extent.length;
      if (end > offset) {
        if (extent.offset > offset || offset + length > end) return null;
        const { frame, frameOffset } = extent;
        return { offset, length, frame, frameOffset: frameOffset + offset - extent.offset };
      }
      at += 1;
    }
    return null;
  };
};
