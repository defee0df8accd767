/**
 * Reads a file by blocks and hands on only the blocks that differ from the last snapshot. What is
 * unchanged keeps its place in the store.
 */
import {
  type BlockDigests,
  blockBytesOf,
  createBlockDigests,
  DIGEST_BYTES,
  isZero,
} from "../block-digests.ts";
import type { Extent } from "../entry.ts";
import { TerminalError } from "../errors.ts";
import { type Replacement, replaceExtents } from "../extent-list.ts";
import type { FileRange, FileSystem } from "../file-system.ts";
import { FRAME_BYTES_MAX } from "../frame.ts";
import type { FrameBuilder } from "../frame-builder.ts";
import type { ChangedRange } from "./changed-ranges.ts";
import { digestParts } from "./digest-parts.ts";
import { findData, partsToRead } from "./file-parts.ts";
import { readExactly } from "./read-exactly.ts";

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
  readonly extents: readonly Extent[];
  /** Complete only after the frame builder's next `settle`: what is new is hashed by threads. */
  readonly blocks: BlockDigests;
  readonly changedBytes: number;
}

/** The file open at `fd`. A file that shrinks while it is read reads as zeros from there on. */
export const readFile = async (fd: number, options: ReadFileOptions): Promise<ReadFile> => {
  const { size } = options;
  const blockBytes = blockBytesOf(size);
  if (blockBytes > FRAME_BYTES_MAX) throw tooLarge(size);
  const isKnown = options.known !== null && blockBytesOf(options.known.size) === blockBytes;
  const known = isKnown ? options.known : null;
  const blocks = known?.blocks.copy() ?? createBlockDigests();
  const isSmall = size <= blockBytes;
  const whole = isSmall ? [{ offset: 0, length: size, isHole: false }] : null;
  const ranges = whole ?? (known === null ? null : options.changed);
  const parts = partsToRead(ranges ?? findData(fd, size, options.fileSystem), {
    size,
    blockBytes,
    knownSize: known?.size ?? size,
  });
  const file = { fd, size, blockBytes, blocks };
  const { replacements, changedBytes } =
    known === null ? await readNew(file, parts, options) : await readKnown(file, parts, options);
  blocks.truncate(Math.ceil(size / blockBytes));
  return {
    size,
    extents: replaceExtents(known?.extents ?? [], replacements, size),
    blocks,
    changedBytes,
  };
};

const tooLarge = (size: number): TerminalError =>
  new TerminalError(`a file of ${size} bytes is larger than a snapshot can hold`, {
    code: "unsupported-file",
    hint: "files may have up to 8 TiB; keep larger ones outside of the volume",
  });

interface OpenedFile {
  readonly fd: number;
  readonly size: number;
  readonly blockBytes: number;
  readonly blocks: BlockDigests;
}

interface Found {
  readonly replacements: readonly Replacement[];
  readonly changedBytes: number;
}

/** All of it is new: read straight into frames, hashed there. */
const readNew = async (
  { fd, blockBytes, blocks }: OpenedFile,
  parts: Iterable<ChangedRange>,
  { frames, onRead }: ReadFileOptions,
): Promise<Found> => {
  const replacements: Replacement[] = [];
  let changedBytes = 0;
  for (const { offset, length, isHole } of parts) {
    if (!isHole && length > 0) {
      const room = await frames.room(length);
      readExactly(fd, room, offset);
      let taken = 0;
      for (const run of nonZeroRuns(room, blockBytes)) {
        if (run.offset > taken) room.copyWithin(taken, run.offset, run.offset + run.length);
        const first = (offset + run.offset) / blockBytes;
        const place = frames.take(run.length, blockBytes, (digests) => {
          blocks.setRun(first, digests);
        });
        taken += run.length;
        const at = { offset: offset + run.offset, length: run.length };
        replacements.push({ ...at, extent: { ...at, ...place } });
        changedBytes += run.length;
      }
    }
    onRead(length);
  }
  return { replacements, changedBytes };
};

/** Runs of whole blocks that are not zeros; the last block may be short. */
function* nonZeroRuns(bytes: Buffer, blockBytes: number): Generator<FileRange> {
  let from = -1;
  for (let at = 0; at < bytes.length; at += blockBytes) {
    const isData = !isZero(bytes.subarray(at, at + blockBytes));
    if (isData && from < 0) from = at;
    if (isData || from < 0) continue;
    yield { offset: from, length: at - from };
    from = -1;
  }
  if (from >= 0) yield { offset: from, length: bytes.length - from };
}

/** Compared with what is known, block by block; only what differs goes into frames. */
const readKnown = async (
  file: OpenedFile,
  parts: Iterable<ChangedRange>,
  { frames, onRead }: ReadFileOptions,
): Promise<Found> => {
  const replacements: Replacement[] = [];
  let changedBytes = 0;
  for await (const part of digestParts(file, parts)) {
    const { bytes, digests } = part;
    const found = bytes === null ? forgetBlocks(part, file) : compareBlocks(part, digests, file);
    for (const { offset, length, isZeros } of found) {
      const run = { offset, length };
      const from = offset - part.offset;
      const place =
        isZeros || bytes === null ? null : await frames.append(bytes.subarray(from, from + length));
      replacements.push({ ...run, extent: place && { ...run, ...place } });
      changedBytes += length;
    }
    onRead(part.length);
  }
  return { replacements, changedBytes };
};

interface FoundChange extends FileRange {
  readonly isZeros: boolean;
}

/** The runs of blocks that differ from `blocks`, which is brought up to date. */
const compareBlocks = (
  { offset, length }: FileRange,
  digests: Uint8Array,
  { blockBytes, blocks }: OpenedFile,
): FoundChange[] => {
  const found: FoundChange[] = [];
  const all = Buffer.from(digests.buffer, digests.byteOffset, digests.byteLength);
  for (let start = 0, i = 0; start < length; start += blockBytes, i += DIGEST_BYTES) {
    const digest = all.subarray(i, i + DIGEST_BYTES);
    const isZeros = digest.equals(NO_DIGEST);
    const index = (offset + start) / blockBytes;
    if (blocks.has(index, isZeros ? null : digest)) continue;
    blocks.set(index, isZeros ? null : digest);
    const end = Math.min(length, start + blockBytes);
    const last = found.at(-1);
    const isRun =
      last !== undefined &&
      last.offset + last.length === offset + start &&
      last.isZeros === isZeros;
    const first = isRun ? last.offset : offset + start;
    const run = { offset: first, length: offset + end - first, isZeros };
    if (isRun) found[found.length - 1] = run;
    else found.push(run);
  }
  return found;
};

const NO_DIGEST = Buffer.alloc(DIGEST_BYTES);

/** Blocks that had data and now are in a hole. */
const forgetBlocks = (
  { offset, length }: FileRange,
  { blockBytes, size, blocks }: OpenedFile,
): FoundChange[] => {
  const from = offset / blockBytes;
  const gone = [...blocks.nonZero(from, Math.ceil((offset + length) / blockBytes))];
  return gone.map((index) => {
    blocks.set(index, null);
    const at = index * blockBytes;
    return { offset: at, length: Math.min(blockBytes, size - at), isZeros: true };
  });
};
