/**
 * One file on its way to its content: what is there already is kept, the rest is listed as pieces to
 * fetch. Its digest is checked over all blocks, kept and fetched, before it counts.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  openSync,
  rmSync,
} from "node:fs";
import { type BlockDigests, blockBytesOf, createBlockDigests } from "../block-digests.ts";
import type { Extent, FileEntry } from "../entry.ts";
import { TerminalError } from "../errors.ts";
import { compareExtents } from "../extent-list.ts";
import { type FileIdentity, identityOf } from "../file-identity.ts";
import type { FileRange, FileSystem } from "../file-system.ts";
import type { FoundEntry, IndexedEntry, NotedClone } from "../local-index.ts";
import { CLONE_BYTES_MIN, type Clones } from "../scan/clones.ts";
import { ageClone } from "../scan/stale-ranges.ts";
import type { FrameUse } from "../threads/jobs.ts";
import { createAt } from "./create-at.ts";
import { applyXattrs } from "./metadata.ts";
import { corruptContent } from "./new-file.ts";
import { copyBase, reopen, type Start, startAfresh } from "./start-file.ts";

export interface FileTask {
  readonly entry: FileEntry;
  /** What must come from the store, in file order. */
  readonly pieces: readonly Extent[];
  readonly reusedBytes: number;
  /** What a thread needs to write a piece out of its frame. */
  useOf(piece: Extent): FrameUse;
  /** The piece has been written by a thread, and these are the digests of its blocks. */
  noteWritten(piece: Extent, digests: Uint8Array): void;
  /** After the last piece: checks the content, sets the metadata, closes the file. */
  finish(): void;
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
  readonly fileSystem: FileSystem;
  readonly clones: Clones;
}

const CREATE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

export const openFile = (request: OpenFileRequest): FileTask => {
  const { entry, fileSystem } = request;
  const blockBytes = blockBytesOf(entry.size);
  const start = openStart(request, blockBytes);
  let fd: number | null = start.fd;
  const opened = (): number => {
    if (fd === null) throw new TerminalError("file is closed", { code: "file-closed" });
    return fd;
  };
  const { pieces, holes, blocks } = prepare(entry, start, blockBytes, fileSystem);
  const fetched = pieces.reduce((sum, piece) => sum + piece.length, 0);
  let identity: FileIdentity | null = null;
  let clone: NotedClone | null = null;
  return {
    entry,
    pieces,
    reusedBytes: start.extents.length === 0 ? 0 : entry.size - fetched,
    useOf: ({ offset, length, frameOffset }) => ({
      fd: opened(),
      fileOffset: offset,
      offset: frameOffset,
      length,
      blockBytes,
    }),
    noteWritten: ({ offset }, digests) => blocks.setRun(offset / blockBytes, digests),
    finish: () => {
      if (blocks.digestFile(entry.size) !== entry.digest) throw corruptContent(entry.path);
      // Always, and before the mode: it clears setuid.
      fchownSync(opened(), entry.uid, entry.gid);
      fchmodSync(opened(), entry.mode);
      applyXattrs(opened(), entry, fileSystem);
      fileSystem.setTimes(opened(), entry.mtimeNs);
      if (entry.size >= CLONE_BYTES_MIN) {
        clone = keepClone(opened(), start, [...pieces, ...holes], request);
      }
      identity = identityOf(opened());
      closeSync(opened());
      fd = null;
    },
    abandon: () => {
      if (fd !== null) closeSync(fd);
      fd = null;
    },
    result: () => ({ entry, identity, blocks, clone }),
  };
};

/** So that the first snapshot after the hydrate can tell what changed without reading. */
const keepClone = (
  fd: number,
  start: Start,
  changed: readonly FileRange[],
  { entry, clones }: OpenFileRequest,
): NotedClone | null => {
  const resized = { before: start.size, after: entry.size };
  const aged = start.clone === null ? null : ageClone(start.clone, changed, resized);
  if (aged === null) return clones.make(fd);
  clones.keep(aged.name);
  return aged;
};

const openStart = (request: OpenFileRequest, blockBytes: number): Start => {
  const { at, isThere, old, baseDirectory, entry } = request;
  const reopened = isThere && baseDirectory === null ? reopen(at, old, blockBytes) : null;
  if (reopened !== null) return reopened;
  if (isThere) rmSync(at, { recursive: true });
  const copied =
    baseDirectory === null ? null : copyBase(baseDirectory, at, old, entry.path, blockBytes);
  if (copied !== null) return copied;
  return startAfresh(createAt(entry.path, () => openSync(at, CREATE, 0o600)));
};

/** Cuts or grows the file, makes its new holes, and says what is missing still. */
const prepare = (
  entry: FileEntry,
  start: Start,
  blockBytes: number,
  fileSystem: FileSystem,
): {
  pieces: readonly Extent[];
  holes: readonly FileRange[];
  blocks: BlockDigests;
} => {
  const blocks = start.blocks?.copy() ?? createBlockDigests();
  const { pieces, holes: gone } = compareExtents(start.extents, entry.extents);
  const holes = gone
    .filter(({ offset }) => offset < entry.size)
    .map(({ offset, length }) => ({ offset, length: Math.min(length, entry.size - offset) }));
  // Writing the last piece sets the size; only a hole at the end, or a cut, needs a call of its own.
  const last = pieces.at(-1);
  const endsWithPiece = last !== undefined && last.offset + last.length === entry.size;
  const isGrown = start.size < entry.size && endsWithPiece;
  if (start.size !== entry.size && !isGrown) ftruncateSync(start.fd, entry.size);
  blocks.truncate(Math.ceil(entry.size / blockBytes));
  for (const { offset, length } of holes) {
    fileSystem.punchHole(start.fd, offset, length);
    const first = Math.floor(offset / blockBytes);
    for (const index of [...blocks.nonZero(first, Math.ceil((offset + length) / blockBytes))]) {
      blocks.set(index, null);
    }
  }
  return { pieces, holes, blocks };
};
