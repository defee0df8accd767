/**
 * Writes a file that was not there: made, filled and given its metadata in one go, by whichever thread
 * has its bytes. Its content is checked before its name appears.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  ftruncateSync,
  openSync,
  writeSync,
} from "node:fs";
import { blockBytesOf, blockDigestsOf, createBlockDigests } from "../block-digests.ts";
import type { FileEntry } from "../entry.ts";
import { TerminalError } from "../errors.ts";
import { type FileIdentity, identityOf } from "../file-identity.ts";
import type { FileSystem } from "../file-system.ts";
import { throughFd } from "../scan/through-fd.ts";
import { createAt } from "./create-at.ts";
import { applyXattrs } from "./metadata.ts";

/** What a thread must know of the file. Bytes are latin1 text, which passes between threads as it is. */
export interface NewFile {
  readonly directoryFd: number;
  readonly path: string;
  readonly size: number;
  readonly digest: string;
  readonly blockBytes: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
  readonly xattrs: readonly { readonly name: string; readonly value: string }[];
  /** Runs of the file from the frame's raw bytes, in file order; between them are holes. */
  readonly pieces: readonly {
    readonly offset: number;
    readonly length: number;
    readonly frameOffset: number;
  }[];
}

/** How the file is described to a thread. */
export const describeNewFile = (entry: FileEntry, directoryFd: number): NewFile => ({
  directoryFd,
  path: entry.path.toString("latin1"),
  size: entry.size,
  digest: entry.digest,
  blockBytes: blockBytesOf(entry.size),
  mode: entry.mode,
  uid: entry.uid,
  gid: entry.gid,
  mtimeNs: entry.mtimeNs,
  xattrs: entry.xattrs.map(({ name, value }) => ({ name, value: value.toString("latin1") })),
  pieces: entry.extents.map(({ offset, length, frameOffset }) => ({ offset, length, frameOffset })),
});

export interface WrittenFile {
  readonly identity: FileIdentity;
  /** Of the pieces' blocks, one piece after another. */
  readonly blocks: Buffer;
}

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const PERMISSIONS = 0o7777;
const CREATED_BITS = 0o777;

/** Throws TerminalError when the bytes are not the file's, or its name is taken. */
export const writeNewFile = (file: NewFile, raw: Buffer, fileSystem: FileSystem): WrittenFile => {
  const { size, pieces } = file;
  const path = Buffer.from(file.path, "latin1");
  const blocks = digestPieces(file, raw);
  if (blocks === null) throw corruptContent(path);
  const fd = create(path, file);
  try {
    let end = 0;
    for (const { offset, length, frameOffset } of pieces) {
      writeAll(fd, raw.subarray(frameOffset, frameOffset + length), offset);
      end = offset + length;
    }
    if (end < size) ftruncateSync(fd, size);
    setMetadata(fd, file, fileSystem);
    return { identity: identityOf(fd), blocks };
  } finally {
    closeSync(fd);
  }
};

export const writeAll = (fd: number, bytes: Buffer, offset: number): void => {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(fd, bytes, done, bytes.length - done, offset + done);
  }
};

export const corruptContent = (path: Buffer): TerminalError =>
  new TerminalError(`${path.toString()}: content does not match its digest`, {
    code: "content-corrupt",
    hint: "hydrate another snapshot, and verify the volume",
    data: { path: path.toString() },
  });

/** Null: they are not the digests of this file. */
const digestPieces = ({ size, digest, pieces, blockBytes }: NewFile, raw: Buffer) => {
  const blocks = createBlockDigests();
  const runs = pieces.map(({ offset, length, frameOffset }) => {
    const run = blockDigestsOf(raw.subarray(frameOffset, frameOffset + length), blockBytes);
    blocks.setRun(offset / blockBytes, run);
    return run;
  });
  if (blocks.digestFile(size) !== digest) return null;
  const [first] = runs;
  return runs.length === 1 && first !== undefined ? first : Buffer.concat(runs);
};

const create = (path: Buffer, { directoryFd, mode }: NewFile): number => {
  const at = throughFd(directoryFd, path.subarray(path.lastIndexOf("/") + 1));
  // Most modes pass the umask as they are, and then need no call of their own.
  return createAt(path, () => openSync(at, CREATE, mode & CREATED_BITS));
};

/** Owner before mode (it clears setuid), times last. What is as it should be costs no call. */
const setMetadata = (fd: number, file: NewFile, fileSystem: FileSystem): void => {
  const { uid, gid, mode } = fstatSync(fd);
  const isOwned = uid === file.uid && gid === file.gid;
  if (!isOwned) fchownSync(fd, file.uid, file.gid);
  if (!isOwned || (mode & PERMISSIONS) !== file.mode) fchmodSync(fd, file.mode);
  const xattrs = file.xattrs.map(({ name, value }) => ({
    name,
    value: Buffer.from(value, "latin1"),
  }));
  applyXattrs(fd, { xattrs }, fileSystem);
  fileSystem.setTimes(fd, file.mtimeNs);
};
