/**
 * The work that costs a processor: hashing, compressing, checking, writing out. Plain functions of
 * bytes that any thread can run; what waits for the store or decides anything stands elsewhere.
 */
import assert from "node:assert/strict";
import { blockDigestsOf } from "../block-digests.ts";
import { contentMd5, sha256 } from "../digest.ts";
import type { Frame } from "../entry.ts";
import { encodeIdentity } from "../file-identity.ts";
import type { FileSystem } from "../file-system.ts";
import { decodeFrame, type Encoding, encodeFrame } from "../frame.ts";
import { type NewFile, writeAll, writeNewFile } from "../hydrate/new-file.ts";
import { packStats, unpackNames } from "../scan/packed-stats.ts";
import { statNames } from "../scan/stat-names.ts";
import type { DataKeys } from "../sealing.ts";

/** A run of a frame's raw bytes whose blocks are to be hashed. */
export interface BlockRun {
  readonly offset: number;
  readonly length: number;
  readonly blockBytes: number;
}

export interface EncodeFrameJob {
  readonly kind: "encode-frame";
  readonly raw: Uint8Array;
  /** Takes the compressed bytes; as large as `raw`. */
  readonly room: Uint8Array;
  readonly runs: readonly BlockRun[];
}

export interface EncodedFrame {
  /** `zstd`: the stored bytes are the first of the room. `raw`: they are the raw ones. */
  readonly codec: Encoding;
  readonly storedBytes: number;
  readonly digest: string;
  /** Of the runs' blocks, one after another. */
  readonly blocks: Uint8Array;
}

export interface DigestBlocksJob {
  readonly kind: "digest-blocks";
  readonly bytes: Uint8Array;
  readonly blockBytes: number;
}

export interface DigestPackJob {
  readonly kind: "digest-pack";
  readonly bytes: Uint8Array;
}

/** Bytes of a frame that belong into an open file. */
export interface FrameUse extends BlockRun {
  readonly fd: number;
  readonly fileOffset: number;
}

export interface FillFilesJob {
  readonly kind: "fill-files";
  /** The volume's, and the keys to what is sealed in it. */
  readonly prefix: string;
  readonly keys: DataKeys | undefined;
  /** A run of a pack. */
  readonly bytes: Uint8Array;
  readonly frames: readonly {
    readonly frame: Frame;
    /** Where the frame stands in the bytes. */
    readonly start: number;
    readonly uses: readonly FrameUse[];
    readonly newFiles: readonly NewFile[];
  }[];
}

export interface FilledFiles {
  /** Of all uses' and then all new files' blocks, frame by frame, in the order of the job. */
  readonly blocks: Uint8Array;
  /** Of the new files, as `encodeIdentity` gives them, one after another. */
  readonly identities: Uint8Array;
}

export interface StatNamesJob {
  readonly kind: "stat-names";
  readonly directoryFd: number;
  /** As `packNames` gives them. */
  readonly names: Uint8Array;
}

export type Job = EncodeFrameJob | DigestBlocksJob | DigestPackJob | FillFilesJob | StatNamesJob;

/** What each kind of job gives. Digests of blocks: 32 bytes each, zeros for a block of zeros. */
export interface JobResults {
  readonly "encode-frame": EncodedFrame;
  readonly "digest-blocks": Uint8Array;
  /** The value of a Content-MD5 header. */
  readonly "digest-pack": string;
  readonly "fill-files": FilledFiles;
  /** As `packStats` gives them. */
  readonly "stat-names": Uint8Array;
}

/** Throws what the work throws: TerminalError for damaged frames, system errors as they come. */
export const performJob = <K extends Job["kind"]>(
  job: Extract<Job, { kind: K }>,
  fileSystem: FileSystem | null,
): JobResults[K] => {
  const results = perform(job, fileSystem);
  return results as JobResults[K];
};

const perform = (job: Job, fileSystem: FileSystem | null): JobResults[Job["kind"]] => {
  switch (job.kind) {
    case "encode-frame":
      return encode(job);
    case "digest-blocks":
      return blockDigestsOf(asBuffer(job.bytes), job.blockBytes);
    case "digest-pack":
      return contentMd5(job.bytes);
    case "fill-files":
      assert(fileSystem !== null, "files are filled with the system calls of a file system");
      return fillFiles(job, fileSystem);
    case "stat-names":
      assert(fileSystem !== null, "names are looked at with the system calls of a file system");
      return packStats(statNames(job.directoryFd, unpackNames(job.names), fileSystem));
  }
};

const asBuffer = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);

const encode = ({ raw, room, runs }: EncodeFrameJob): EncodedFrame => {
  const bytes = asBuffer(raw);
  const blocks = runs.map(({ offset, length, blockBytes }) =>
    blockDigestsOf(bytes.subarray(offset, offset + length), blockBytes),
  );
  const { stored, codec } = encodeFrame(bytes);
  if (codec === "zstd") room.set(stored);
  return {
    codec,
    storedBytes: stored.length,
    digest: sha256(stored),
    blocks: blocks.length === 1 && blocks[0] !== undefined ? blocks[0] : Buffer.concat(blocks),
  };
};

const fillFiles = (
  { bytes, frames, ...source }: FillFilesJob,
  fileSystem: FileSystem,
): FilledFiles => {
  const blocks: Buffer[] = [];
  const identities: Buffer[] = [];
  for (const { frame, start, uses, newFiles } of frames) {
    const stored = bytes.subarray(start, start + frame.storedBytes);
    const raw = decodeFrame(frame, stored, source);
    for (const { fd, fileOffset, offset, length, blockBytes } of uses) {
      const piece = raw.subarray(offset, offset + length);
      blocks.push(blockDigestsOf(piece, blockBytes));
      writeAll(fd, piece, fileOffset);
    }
    for (const file of newFiles) {
      const written = writeNewFile(file, raw, fileSystem);
      blocks.push(written.blocks);
      identities.push(encodeIdentity(written.identity));
    }
  }
  return { blocks: Buffer.concat(blocks), identities: Buffer.concat(identities) };
};
