/**
 * One file on its way to its content: what is there already is kept, the rest is listed as pieces to
 * fetch. Its digest is checked over all blocks, kept and fetched, before it counts.
 */
import {
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  lstatSync,
  openSync,
  rmSync,
  writeSync,
} from "node:fs";
import { type BlockDigests, digestBlock, digestFile } from "../content-digest.ts";
import { BLOCK_BYTES, type Extent, type FileEntry } from "../entry.ts";
import { TerminalError } from "../errors.ts";
import type { FileSystem } from "../file-system.ts";
import type { FoundEntry } from "../index-cursor.ts";
import type { FileIdentity, IndexedEntry } from "../local-index.ts";
import { identityOf, sameIdentity } from "../scan/read-file.ts";
import { isGone } from "../scan/walk.ts";
import { refuseEntry } from "./budget.ts";
import { applyXattrs } from "./metadata.ts";
import { withParentOf } from "./open-below.ts";

export interface FileTask {
  readonly entry: FileEntry;
  /** What must come from the store, in file order. */
  readonly pieces: readonly Extent[];
  readonly reusedBytes: number;
  write(piece: Extent, raw: Buffer): void;
  /** After the last piece: checks the content, sets the metadata, closes the file. */
  finish(fileSystem: FileSystem): void;
  abandon(): void;
  result(): IndexedEntry;
}

export interface OpenFileRequest {
  readonly entry: FileEntry;
  readonly at: Buffer;
  /** Something stands in its place already, as `old` says or not. */
  readonly isThere: boolean;
  readonly old: FoundEntry | null;
  readonly baseDirectory: string | null;
}

const CREATE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const REOPEN = constants.O_RDWR | constants.O_NOFOLLOW;

export const openFile = (request: OpenFileRequest): FileTask => {
  const { entry } = request;
  const start = openStart(request);
  const blocks: BlockDigests = new Map(start.blocks);
  let fd: number | null = start.fd;
  const { pieces, zeros } = planPieces(entry, start);
  const opened = (): number => {
    if (fd === null) throw new TerminalError("file is closed", { code: "file-closed" });
    return fd;
  };
  ftruncateSync(opened(), entry.size);
  for (const index of zeros) {
    blocks.delete(index);
    const offset = index * BLOCK_BYTES;
    const length = Math.min(BLOCK_BYTES, entry.size - offset);
    if (length > 0) writeAll(opened(), Buffer.alloc(length), offset);
  }
  const fetched = pieces.reduce((sum, piece) => sum + piece.length, 0);
  let identity: FileIdentity | null = null;
  return {
    entry,
    pieces,
    reusedBytes: start.blocks.size === 0 ? 0 : entry.size - fetched,
    write: (piece, raw) => {
      const bytes = raw.subarray(piece.frameOffset, piece.frameOffset + piece.length);
      writeAll(opened(), bytes, piece.offset);
      for (let from = 0; from < bytes.length; from += BLOCK_BYTES) {
        const digest = digestBlock(bytes.subarray(from, from + BLOCK_BYTES));
        const index = (piece.offset + from) / BLOCK_BYTES;
        if (digest === null) blocks.delete(index);
        else blocks.set(index, digest);
      }
    },
    finish: (fileSystem) => {
      if (digestFile(entry.size, blocks) !== entry.digest) {
        throw new TerminalError(`${entry.path.toString()}: content does not match its digest`, {
          code: "content-corrupt",
          hint: "hydrate another snapshot, and verify the volume",
          data: { path: entry.path.toString() },
        });
      }
      fchownSync(opened(), entry.uid, entry.gid);
      fchmodSync(opened(), entry.mode);
      applyXattrs(opened(), entry, fileSystem);
      fileSystem.setTimes(opened(), entry.mtimeNs);
      identity = identityOf(opened());
      closeSync(opened());
      fd = null;
    },
    abandon: () => {
      if (fd !== null) closeSync(fd);
      fd = null;
    },
    result: () => ({ entry, identity, blocks }),
  };
};

interface Start {
  readonly fd: number;
  /** What is known of the content now at the descriptor. */
  readonly blocks: BlockDigests;
  readonly extents: readonly Extent[];
  readonly size: number;
}

const openStart = (request: OpenFileRequest): Start => {
  const { at, isThere, old, baseDirectory, entry } = request;
  const reopened = isThere && baseDirectory === null ? reopen(at, old) : null;
  if (reopened !== null) return reopened;
  if (isThere) rmSync(at, { recursive: true });
  const copied = baseDirectory === null ? null : copyBase(baseDirectory, at, old, entry);
  if (copied !== null) return copied;
  try {
    return { fd: openSync(at, CREATE, 0o600), blocks: new Map(), extents: [], size: 0 };
  } catch (error) {
    const isTwin = (error as NodeJS.ErrnoException).code === "EEXIST";
    throw isTwin ? refuseEntry(entry.path, "stands twice in the snapshot") : error;
  }
};

const startFrom = (fd: number, old: FoundEntry): Start | null =>
  old.entry.type === "file"
    ? { fd, blocks: old.blocks, extents: old.entry.extents, size: old.entry.size }
    : null;

/** The file in its place, when it is the very file that the index knows, under one name only. */
const reopen = (at: Buffer, old: FoundEntry | null): Start | null => {
  if (old === null || old.identity === null || old.entry.type !== "file") return null;
  const fd = openOrNull(at, REOPEN);
  if (fd === null) return null;
  const now = identityOf(fd);
  if (now.nlink === 1n && sameIdentity(old.identity, now)) return startFrom(fd, old);
  closeSync(fd);
  return null;
};

/** A copy (by reference where the file system can) of the other copy's file, if it is untouched. */
const copyBase = (
  base: string,
  at: Buffer,
  old: FoundEntry | null,
  entry: FileEntry,
): Start | null => {
  if (old === null || old.identity === null || old.entry.type !== "file") return null;
  const { identity } = old;
  // A plain copy fills holes; a file that is mostly holes is cheaper to fetch.
  if (old.blocks.size * BLOCK_BYTES < old.entry.size / 2) return null;
  const isCopied = withParentOrNull(base, entry.path, (source) => {
    const fd = openOrNull(source, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if (fd === null) return false;
    try {
      if (!sameIdentity(identity, identityOf(fd))) return false;
      copyFileSync(throughFdFile(fd), at, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      return sameIdentity(identity, identityOf(fd));
    } finally {
      closeSync(fd);
    }
  });
  if (isCopied === true) return startFrom(openSync(at, REOPEN), old);
  if (isCopied === false) rmSync(at, { force: true });
  return null;
};

const throughFdFile = (fd: number): string => `/proc/self/fd/${fd}`;

const withParentOrNull = <T>(root: string, path: Buffer, use: (at: Buffer) => T): T | null => {
  try {
    return withParentOf(root, path, use);
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
};

const openOrNull = (at: Buffer, flags: number): number | null => {
  try {
    return lstatSync(at).isFile() ? openSync(at, flags) : null;
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
};

/** Pieces whose place in the store differs, and blocks that must become zeros. */
const planPieces = (entry: FileEntry, start: Start): { pieces: Extent[]; zeros: number[] } => {
  const places = new Map<number, string>();
  for (const extent of start.extents) {
    eachBlock(extent, (piece) => {
      const isWhole =
        piece.offset + piece.length === Math.min(start.size, piece.offset + BLOCK_BYTES);
      if (isWhole) places.set(piece.offset / BLOCK_BYTES, placeOf(piece));
    });
  }
  const pieces: Extent[] = [];
  const covered = new Set<number>();
  for (const extent of entry.extents) {
    eachBlock(extent, (piece) => {
      const index = piece.offset / BLOCK_BYTES;
      covered.add(index);
      if (places.get(index) !== placeOf(piece) || !start.blocks.has(index))
        appendPiece(pieces, piece);
    });
  }
  const zeros = [...start.blocks.keys()].filter((index) => !covered.has(index));
  return { pieces, zeros };
};

const placeOf = ({ frame, frameOffset, length }: Extent): string =>
  `${frame.pack} ${frame.offset} ${frameOffset} ${length}`;

const eachBlock = (extent: Extent, use: (piece: Extent) => void): void => {
  for (let from = 0; from < extent.length; from += BLOCK_BYTES) {
    const length = Math.min(BLOCK_BYTES, extent.length - from);
    const { offset, frame, frameOffset } = extent;
    use({ offset: offset + from, length, frame, frameOffset: frameOffset + from });
  }
};

const appendPiece = (pieces: Extent[], piece: Extent): void => {
  const last = pieces.at(-1);
  const continues =
    last !== undefined &&
    last.frame === piece.frame &&
    last.offset + last.length === piece.offset &&
    last.frameOffset + last.length === piece.frameOffset;
  if (continues) pieces[pieces.length - 1] = { ...last, length: last.length + piece.length };
  else pieces.push(piece);
};

const writeAll = (fd: number, bytes: Buffer, offset: number): void => {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(fd, bytes, done, bytes.length - done, offset + done);
  }
};
