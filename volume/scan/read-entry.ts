/** Turns what the walk finds into an entry of the tree, reading a file only where it must. */
import { closeSync, constants, openSync, readlinkSync } from "node:fs";
import { describeEntry } from "../content-digest.ts";
import type { Entry, FileEntry } from "../entry.ts";
import { TerminalError } from "../errors.ts";
import { type FileIdentity, identityOf, sameIdentity } from "../file-identity.ts";
import type { FileSystem, FileTarget } from "../file-system.ts";
import type { FrameBuilder } from "../frame-builder.ts";
import type { FoundEntry, IndexedEntry } from "../local-index.ts";
import type { CloneMaps } from "./clone-maps.ts";
import type { Clones } from "./clones.ts";
import { noteMap, readThrough } from "./read-through-clone.ts";
import { isGone, throughFd } from "./through-fd.ts";
import type { Found } from "./walk.ts";

export interface Reading {
  readonly frames: FrameBuilder;
  readonly fileSystem: FileSystem;
  readonly clones: Clones;
  readonly cloneMaps: CloneMaps;
  /** The files are not written to meanwhile. */
  readonly isStill: boolean;
  /** A snapshot of the still files follows soon. */
  readonly isRound: boolean;
  /** A file whose ctime or mtime is not older may have been written to unseen: not to be trusted. */
  readonly trustedBeforeNs: bigint;
  /** First path of each file with several names, by device and inode. */
  readonly links: Map<string, Buffer>;
  readonly skipped: { path: string; reason: string }[];
  /** Told of bytes of a file that is not complete yet, for progress. */
  readonly onRead: (bytes: number) => void;
}

export interface ReadResult {
  readonly indexed: IndexedEntry;
  /** Neither the entry nor what the index knows of it differs from `old`. */
  readonly isUnchanged: boolean;
  readonly changedBytes: number;
  /** To be called when all its bytes are hashed; the entry's digest is known only then. Null: it is. */
  readonly complete: (() => void) | null;
}

const OPEN = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Null: the object is gone, or is of a kind that is left out (and listed). */
export const readEntry = async (
  found: Found,
  old: FoundEntry | null,
  reading: Reading,
): Promise<ReadResult | null> => {
  const { stat, path } = found;
  if (old !== null && old.clone !== null) reading.clones.keep(old.clone.name);
  try {
    if (stat.kind === "file") return await readRegular(found, old, reading);
    const untouched = reuse(found, old, old?.entry.type === stat.kind);
    if (untouched !== null) return untouched;
    if (stat.kind === "directory" || stat.kind === "fifo") {
      return plain({ ...common(found, reading), type: stat.kind }, found, old, reading);
    }
    if (stat.kind === "symlink") {
      const target = readlinkSync(atOf(found), { encoding: "buffer" });
      return plain({ ...common(found, reading), type: "symlink", target }, found, old, reading);
    }
  } catch (error) {
    if (isGone(error) || isOfOtherKind(error)) return null;
    throw error;
  }
  if (stat.kind === "socket") {
    reading.skipped.push({
      path: path.toString(),
      reason: "a socket means nothing on another host",
    });
    return null;
  }
  throw new TerminalError(`${path.toString()} is a device node and can't be part of a volume`, {
    code: "unsupported-file",
    hint: "move it out of the volume",
  });
};

/** Since it was looked at: a link that is none any more, or a file that is a socket now. */
const isOfOtherKind = (error: unknown): boolean => {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return (syscall === "readlink" && code === "EINVAL") || (syscall === "open" && code === "ENXIO");
};

const atOf = ({ directoryFd, name }: Found): Buffer => throughFd(directoryFd, name);

/** The old entry as it is, when the object is untouched: ctime covers its metadata too. */
const reuse = ({ stat }: Found, old: FoundEntry | null, isSameKind: boolean): ReadResult | null =>
  isSameKind && old !== null && old.identity !== null && sameIdentity(old.identity, stat)
    ? { indexed: old, isUnchanged: true, changedBytes: 0, complete: null }
    : null;

/** `target`: where the object is open already, for that is a third of the way by its path. */
const common = (found: Found, { fileSystem }: Reading, target: FileTarget = atOf(found)) => {
  const { mode, uid, gid, mtimeNs } = found.stat;
  return { path: found.path, mode, uid, gid, mtimeNs, xattrs: fileSystem.listXattrs(target) };
};

/** An entry that is compared as a whole; the old object is kept where nothing differs. */
const plain = (
  entry: Entry,
  { stat }: Found,
  old: FoundEntry | null,
  reading: Reading,
): ReadResult => {
  const isSame = old !== null && describeEntry(old.entry) === describeEntry(entry);
  const { dev, ino, size, ctimeNs, mtimeNs } = stat;
  const identity =
    entry.type === "hardlink"
      ? null
      : trust({ dev, ino, size, ctimeNs, mtimeNs }, reading.trustedBeforeNs);
  const indexed = { entry: isSame ? old.entry : entry, identity, blocks: null, clone: null };
  return {
    indexed,
    isUnchanged: isSame && identity === null && old.identity === null,
    changedBytes: 0,
    complete: null,
  };
};

const readRegular = async (
  found: Found,
  old: FoundEntry | null,
  reading: Reading,
): Promise<ReadResult | null> => {
  const { path, stat } = found;
  const inode = stat.nlink > 1 ? `${stat.dev}:${stat.ino}` : null;
  const target = inode === null ? undefined : reading.links.get(inode);
  if (target !== undefined) {
    return plain({ ...common(found, reading), type: "hardlink", target }, found, old, reading);
  }
  const untouched = reuse(found, old, old?.entry.type === "file");
  if (untouched !== null && old !== null && reading.isRound) noteMap(old, reading);
  const read = untouched ?? (await readContent(found, old, reading));
  // Only a name that is in the tree can be what others link to.
  if (inode !== null && read !== null) reading.links.set(inode, path);
  return read;
};

type PendingFile = Omit<FileEntry, "digest"> & { digest: string };

const readContent = async (
  found: Found,
  old: FoundEntry | null,
  reading: Reading,
): Promise<ReadResult | null> => {
  const fd = openSync(atOf(found), OPEN);
  try {
    const { isFile, ...before } = identityOf(fd);
    if (!isFile) return null;
    const { read, clone } = await readThrough(fd, before.size, old, reading);
    const { size, extents, blocks, changedBytes } = read;
    const entry: PendingFile = {
      ...common(found, reading, fd),
      type: "file",
      size,
      digest: "",
      extents,
    };
    const isQuiet = sameIdentity(before, identityOf(fd));
    const identity = isQuiet ? trust(before, reading.trustedBeforeNs) : null;
    return {
      indexed: { entry, identity, blocks, clone },
      isUnchanged: false,
      changedBytes,
      complete: () => {
        entry.digest = blocks.digestFile(size);
      },
    };
  } finally {
    closeSync(fd);
  }
};

const trust = (identity: FileIdentity, beforeNs: bigint): FileIdentity | null =>
  identity.ctimeNs < beforeNs && identity.mtimeNs < beforeNs ? identity : null;
