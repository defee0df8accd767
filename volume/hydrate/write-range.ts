/** Has the frames of one fetched range verified, unpacked and written by a thread. */
import { DIGEST_BYTES } from "../block-digests.ts";
import type { Extent, Frame } from "../entry.ts";
import { IDENTITY_BYTES, PackedIdentity } from "../file-identity.ts";
import type { FileSystem } from "../file-system.ts";
import { sharedThreads } from "../threads/thread-pool.ts";
import type { FrameRange, FrameSource } from "./fetch-frames.ts";
import type { FileTask } from "./file-task.ts";
import { describeNewFile } from "./new-file.ts";
import { digestBytesOf, type NewFileTask } from "./new-file-task.ts";

/** Making a file takes a thread as long as so many bytes do. */
const BYTES_PER_NEW_FILE = 8 * 1_024;

export interface FrameUse {
  readonly task: FileTask;
  readonly piece: Extent;
}

/** What one frame is fetched for. */
export interface WantedFrame {
  readonly frame: Frame;
  readonly uses: FrameUse[];
  readonly newFiles: NewFileTask[];
}

export interface FetchedRange {
  readonly range: FrameRange;
  readonly bytes: Uint8Array;
  /** The range's frames, in its order. */
  readonly wanted: readonly WantedFrame[];
}

export interface RangeNotes {
  noteWritten(use: FrameUse, digests: Uint8Array): void;
  noteMade(task: NewFileTask): void;
}

/** Tells of each piece and each file once all of the range is written. */
export const writeRange = async (
  { prefix, keys, fileSystem }: FrameSource & { readonly fileSystem: FileSystem },
  { range, bytes, wanted }: FetchedRange,
  { noteWritten, noteMade }: RangeNotes,
): Promise<void> => {
  const frames = wanted.map(({ frame, uses, newFiles }) => ({
    frame,
    start: frame.offset - range.offset,
    uses: uses.map(({ task, piece }) => task.useOf(piece)),
    newFiles: newFiles.map(({ entry, directoryFd }) => describeNewFile(entry, directoryFd)),
  }));
  const fileCount = wanted.reduce((sum, { newFiles }) => sum + newFiles.length, 0);
  const { buffer } = bytes;
  const isOwn = buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength;
  const { blocks, identities } = await sharedThreads.run<"fill-files">(
    { kind: "fill-files", prefix, keys, bytes, frames },
    rawBytesOf(range) + fileCount * BYTES_PER_NEW_FILE,
    { transfer: isOwn ? [buffer] : [], fileSystem },
  );
  const takeBlocks = openTaker(blocks);
  const takeIdentity = openTaker(identities);
  for (const { uses, newFiles } of wanted) {
    for (const use of uses) {
      const { length, blockBytes } = use.task.useOf(use.piece);
      noteWritten(use, takeBlocks(Math.ceil(length / blockBytes) * DIGEST_BYTES));
    }
    for (const task of newFiles) {
      task.identity = new PackedIdentity(takeIdentity(IDENTITY_BYTES), 0);
      task.digests = takeBlocks(digestBytesOf(task));
      task.release();
      noteMade(task);
    }
  }
};

export const rawBytesOf = ({ frames }: FrameRange): number =>
  frames.reduce((sum, { rawBytes }) => sum + rawBytes, 0);

/** The next so many of the bytes, with each call. */
const openTaker = (bytes: Uint8Array) => {
  let at = 0;
  return (length: number): Buffer => {
    at += length;
    return Buffer.from(bytes.buffer, bytes.byteOffset + at - length, length);
  };
};
