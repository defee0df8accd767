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
import type { ChangedRange, Range } from "./changed-ranges.ts";

const READ_BYTES = 2 ** 20;

/** The file at the last snapshot. */
export interface KnownFile {
  readonly size: number;
  readonly extents: readonly Extent[];
  readonly blocks: BlockDigests;
}

export interface ReadFileOptions {
  readonly known: KnownFile | null;
  /** What can differ from `known`; null: all of it, and where the holes are is asked of the file. */
  readonly changed: readonly ChangedRange[] | null;
  /** The size to take the file for; what it does not have of that is zeros. */
  readonly size: number;
  readonly frames: FrameBuilder;
  readonly fileSystem: FileSystem;
  /** Told of each part of the file that has been looked at, for progress. */
  readonly onRead: (bytes: number) => void;
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
  const { size, frames } = options;
  const blockBytes = blockBytesOf(size);
  const isKnown = options.known !== null && blockBytesOf(options.known.size) === blockBytes;
  const known = isKnown ? options.known : null;
  const blocks = known?.blocks.copy() ?? createBlockDigests();
  const replacements: Replacement[] = [];
  let changedBytes = 0;
  const isSmall = size <= blockBytes;
  const whole = isSmall ? [{ offset: 0, length: size, isHole: false }] : null;
  const ranges = whole ?? (known === null ? null : options.changed);
  for (const part of partsToRead(ranges ?? findData(fd, size, options.fileSystem), {
    size,
    blockBytes,
    knownSize: known?.size ?? size,
  })) {
    const found = part.isHole
      ? forgetBlocks(part, blockBytes, size, blocks)
      : readBlocks(fd, part, blockBytes, blocks);
    for (const { offset, length, bytes } of found) {
      const place = bytes === null ? null : await frames.append(bytes);
      replacements.push({ offset, length, extent: place && { offset, length, ...place } });
      changedBytes += length;
    }
    options.onRead(part.length);
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

/** The whole file as runs of data and of holes. */
function* findData(fd: number, size: number, fileSystem: FileSystem): Generator<ChangedRange> {
  for (let at = 0; at < size; ) {
    const data = fileSystem.nextData(fd, at, size) ?? { offset: size, length: 0 };
    if (data.offset > at) yield { offset: at, length: data.offset - at, isHole: true };
    if (data.length > 0) yield { ...data, isHole: false };
    at = data.offset + data.length;
  }
}

interface Shape {
  readonly size: number;
  readonly blockBytes: number;
  readonly knownSize: number;
}

/**
 * The ranges as runs of whole blocks (to the end of the file), ascending and disjoint, each to be read
 * at once. A block with any data in it counts as data.
 */
function* partsToRead(
  ranges: Iterable<ChangedRange>,
  { size, blockBytes, knownSize }: Shape,
): Generator<ChangedRange> {
  const down = (offset: number): number => offset - (offset % blockBytes);
  const up = (offset: number): number => Math.min(size, down(offset + blockBytes - 1));
  const partBytes = Math.max(READ_BYTES, blockBytes);
  let done = 0;
  function* emit(from: number, to: number, isHole: boolean): Generator<ChangedRange> {
    for (let at = Math.max(done, from); at < to; at = done) {
      done = isHole ? to : Math.min(to, at + partBytes);
      yield { offset: at, length: done - at, isHole };
    }
  }
  for (const { offset, length, isHole } of withSeam(ranges, { size, blockBytes, knownSize })) {
    const end = Math.min(size, offset + length);
    if (!isHole) yield* emit(down(offset), up(end), false);
    else {
      if (offset !== down(offset)) yield* emit(down(offset), up(offset), false);
      yield* emit(up(offset), down(end), true);
      if (end !== down(end)) yield* emit(down(end), up(end), false);
    }
  }
}

/** The block in which the shorter of two versions ends is shorter or longer now: it is read. */
function* withSeam(
  ranges: Iterable<ChangedRange>,
  { size, blockBytes, knownSize }: Shape,
): Generator<ChangedRange> {
  const end = Math.min(size, knownSize);
  const seam = { offset: end - (end % blockBytes), length: blockBytes, isHole: false };
  let isDue = knownSize !== size;
  for (const range of ranges) {
    if (isDue && range.offset >= seam.offset) {
      yield seam;
      isDue = false;
    }
    yield range;
  }
  if (isDue) yield seam;
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
