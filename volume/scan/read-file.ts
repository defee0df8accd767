/**
 * Reads a file by blocks and hands on only the blocks that differ from the last snapshot. What is
 * unchanged keeps its place in the store.
 */
import { fstatSync, readSync } from "node:fs";
import {
  type BlockDigests,
  blockBytesOf,
  createBlockDigests,
  digestBlock,
} from "../block-digests.ts";
import type { Extent } from "../entry.ts";
import { type Replacement, replaceExtents } from "../extent-list.ts";
import type { FileSystem } from "../file-system.ts";
import type { FrameBuilder } from "../frame-builder.ts";
import type { FileIdentity } from "../local-index.ts";
import type { Range } from "./changed-ranges.ts";

const READ_BYTES = 2 ** 20;

/** The file at the last snapshot. */
export interface KnownFile {
  readonly size: number;
  readonly extents: readonly Extent[];
  readonly blocks: BlockDigests;
}

export interface ReadFileOptions {
  readonly known: KnownFile | null;
  /** What can differ from `known`; null: all of it. */
  readonly changed: readonly Range[] | null;
  readonly frames: FrameBuilder;
  readonly fileSystem: FileSystem;
}

export interface ReadFile {
  readonly size: number;
  readonly digest: string;
  readonly extents: readonly Extent[];
  readonly blocks: BlockDigests;
  readonly changedBytes: number;
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
export const readFile = async (fd: number, options: ReadFileOptions): Promise<ReadFile> => {
  const size = Number(fstatSync(fd, { bigint: true }).size);
  const blockBytes = blockBytesOf(size);
  const isKnown = options.known !== null && blockBytesOf(options.known.size) === blockBytes;
  const known = isKnown ? options.known : null;
  const blocks = known?.blocks.copy() ?? createBlockDigests();
  const replacements: Replacement[] = [];
  let changedBytes = 0;
  for (const range of rangesToRead(known, options.changed, size, blockBytes)) {
    for (const part of splitByData(fd, range, blockBytes, options.fileSystem)) {
      const found = part.isData
        ? readBlocks(fd, part, blockBytes, blocks)
        : forgetBlocks(part, blockBytes, size, blocks);
      for (const { offset, length, bytes } of found) {
        const place = bytes === null ? null : await options.frames.append(bytes);
        const extent = place === null ? null : { offset, length, ...place };
        replacements.push({ offset, length, extent });
        changedBytes += length;
      }
    }
  }
  blocks.truncate(Math.ceil(size / blockBytes));
  return {
    size,
    digest: blocks.digestFile(size),
    extents: replaceExtents(known?.extents ?? [], replacements, size),
    blocks,
    changedBytes,
  };
};

/** Ranges of whole blocks (to the end of the file), ascending and disjoint, of some MiB at most. */
function* rangesToRead(
  known: KnownFile | null,
  changed: readonly Range[] | null,
  size: number,
  blockBytes: number,
): Generator<Range> {
  const down = (offset: number): number => offset - (offset % blockBytes);
  const ranges = known === null || changed === null ? [{ offset: 0, length: size }] : changed;
  // The block in which the shorter of both versions ends is shorter or longer now.
  const seam = known === null || known.size === size ? [] : [down(Math.min(known.size, size))];
  const all = [...ranges, ...seam.map((offset) => ({ offset, length: blockBytes }))];
  let done = 0;
  for (const { offset, length } of all.sort((a, b) => a.offset - b.offset)) {
    const end = Math.min(size, down(offset + length + blockBytes - 1));
    for (let at = Math.max(done, down(offset)); at < end; ) {
      const until = Math.min(end, down(at + Math.max(READ_BYTES, blockBytes)));
      yield { offset: at, length: until - at };
      at = until;
    }
    done = Math.max(done, end);
  }
}

interface Part extends Range {
  readonly isData: boolean;
}

/** The range in runs of blocks with data in them, and runs of blocks wholly in holes. */
function* splitByData(
  fd: number,
  { offset, length }: Range,
  blockBytes: number,
  fileSystem: FileSystem,
): Generator<Part> {
  const end = offset + length;
  let at = offset;
  while (at < end) {
    const data = fileSystem.nextData(fd, at, end);
    const from = data === null ? end : Math.max(at, data.offset - (data.offset % blockBytes));
    if (from > at) yield { offset: at, length: from - at, isData: false };
    if (data === null) return;
    const dataEnd = Math.ceil((data.offset + data.length) / blockBytes) * blockBytes;
    const until = Math.min(end, dataEnd);
    yield { offset: from, length: until - from, isData: true };
    at = until;
  }
}

interface FoundChange extends Range {
  /** Null: zeros. */
  readonly bytes: Buffer | null;
}

/** Reads the blocks and gives the runs that differ; `blocks` is brought up to date. */
const readBlocks = (
  fd: number,
  { offset, length }: Range,
  blockBytes: number,
  blocks: BlockDigests,
): FoundChange[] => {
  const chunk = readChunk(fd, offset, length);
  const found: FoundChange[] = [];
  for (let start = 0; start < length; start += blockBytes) {
    const block = chunk.subarray(start, start + blockBytes);
    const index = (offset + start) / blockBytes;
    const digest = digestBlock(block);
    if (blocks.has(index, digest)) continue;
    blocks.set(index, digest);
    const last = found.at(-1);
    const isRun =
      last !== undefined &&
      last.offset + last.length === offset + start &&
      (last.bytes === null) === (digest === null);
    const first = isRun ? last.offset : offset + start;
    const bytes = digest === null ? null : chunk.subarray(first - offset, start + block.length);
    const run = { offset: first, length: offset + start + block.length - first, bytes };
    if (isRun) found[found.length - 1] = run;
    else found.push(run);
  }
  return found;
};

/** Blocks that had data and now are in a hole. */
const forgetBlocks = (
  { offset, length }: Range,
  blockBytes: number,
  size: number,
  blocks: BlockDigests,
): FoundChange[] => {
  const from = offset / blockBytes;
  const gone = [...blocks.nonZero(from, Math.ceil((offset + length) / blockBytes))];
  return gone.map((index) => {
    blocks.set(index, null);
    const at = index * blockBytes;
    return { offset: at, length: Math.min(blockBytes, size - at), bytes: null };
  });
};

/** Exactly `length` bytes; what the file no longer has is zeros. A fresh buffer each time. */
const readChunk = (fd: number, offset: number, length: number): Buffer => {
  const chunk = Buffer.allocUnsafeSlow(length);
  let done = 0;
  while (done < length) {
    const read = readSync(fd, chunk, done, length - done, offset + done);
    if (read === 0) break;
    done += read;
  }
  return chunk.fill(0, done);
};
