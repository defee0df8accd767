/** Turns what the walk finds into an entry of the tree, reading a file only where it must. */
import { closeSync, constants, openSync, readlinkSync } from "node:fs";
import { describeEntry } from "../content-digest.ts";
import type { Entry, FileEntry } from "../entry.ts";
import { TerminalError } from "../errors.ts";
import type { FileSystem } from "../file-system.ts";
import type { FrameBuilder } from "../frame-builder.ts";
import type { FoundEntry } from "../index-cursor.ts";
import type { FileIdentity, IndexedEntry } from "../local-index.ts";
import { readFile, sameIdentity } from "./read-file.ts";
import { type Found, isGone } from "./walk.ts";

export interface Reading {
  readonly frames: FrameBuilder;
  readonly fileSystem: FileSystem;
  /** A file whose ctime or mtime is not older may have been written to unseen: not to be trusted. */
  readonly trustedBeforeNs: bigint;
  /** First path of each file with several names, by device and inode. */
  readonly links: Map<string, Buffer>;
  readonly skipped: { path: string; reason: string }[];
}

export interface ReadResult {
  readonly indexed: IndexedEntry;
  /** Neither the entry nor what the index knows of it differs from `old`. */
  readonly isUnchanged: boolean;
  readonly changedBytes: number;
}

const PERMISSIONS = 0o7777n;
const OPEN = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Null: the object is gone, or is of a kind that is left out (and listed). */
export const readEntry = async (
  found: Found,
  old: FoundEntry | null,
  reading: Reading,
): Promise<ReadResult | null> => {
  const { stat, path } = found;
  try {
    if (stat.isDirectory()) return plain({ ...common(found, reading), type: "directory" }, old);
    if (stat.isSymbolicLink()) {
      const target = readlinkSync(found.at, { encoding: "buffer" });
      return plain({ ...common(found, reading), type: "symlink", target }, old);
    }
    if (stat.isFile()) return await readRegular(found, old, reading);
    if (stat.isFIFO()) return plain({ ...common(found, reading), type: "fifo" }, old);
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
  if (stat.isSocket()) {
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

const common = ({ path, at, stat }: Found, { fileSystem }: Reading) => ({
  path,
  mode: Number(stat.mode & PERMISSIONS),
  uid: Number(stat.uid),
  gid: Number(stat.gid),
  mtimeNs: stat.mtimeNs,
  xattrs: fileSystem.listXattrs(at),
});

/** An entry that is compared as a whole; the old object is kept where nothing differs. */
const plain = (entry: Entry, old: FoundEntry | null): ReadResult => {
  const isUnchanged = old !== null && describeEntry(old.entry) === describeEntry(entry);
  const indexed = { entry: isUnchanged ? old.entry : entry, identity: null, blocks: new Map() };
  return { indexed, isUnchanged, changedBytes: 0 };
};

const readRegular = async (
  found: Found,
  old: FoundEntry | null,
  reading: Reading,
): Promise<ReadResult> => {
  const { path, stat } = found;
  if (stat.nlink > 1n) {
    const inode = `${stat.dev}:${stat.ino}`;
    const target = reading.links.get(inode);
    if (target !== undefined) {
      return plain({ ...common(found, reading), type: "hardlink", target }, old);
    }
    reading.links.set(inode, path);
  }
  const known = old?.entry.type === "file" ? old.entry : null;
  if (old !== null && known !== null && old.identity !== null && sameIdentity(old.identity, stat)) {
    const entry: FileEntry = {
      ...common(found, reading),
      type: "file",
      size: known.size,
      digest: known.digest,
      extents: known.extents,
    };
    const isUnchanged = describeEntry(old.entry) === describeEntry(entry);
    return {
      indexed: isUnchanged ? old : { entry, identity: old.identity, blocks: old.blocks },
      isUnchanged,
      changedBytes: 0,
    };
  }
  return readContent(found, old, known, reading);
};

const readContent = async (
  found: Found,
  old: FoundEntry | null,
  known: FileEntry | null,
  reading: Reading,
): Promise<ReadResult> => {
  const fd = openSync(found.at, OPEN);
  try {
    const base = { extents: known?.extents ?? [], blocks: old?.blocks ?? new Map() };
    const read = await readFile(fd, base, reading.frames, reading.fileSystem);
    const { size, digest, extents } = read;
    const entry: FileEntry = { ...common(found, reading), type: "file", size, digest, extents };
    const identity = trust(read.identity, reading.trustedBeforeNs);
    return {
      indexed: { entry, identity, blocks: read.blocks },
      isUnchanged: false,
      changedBytes: read.changedBytes,
    };
  } finally {
    closeSync(fd);
  }
};

const trust = (identity: FileIdentity | null, beforeNs: bigint): FileIdentity | null =>
  identity !== null && identity.ctimeNs < beforeNs && identity.mtimeNs < beforeNs ? identity : null;
