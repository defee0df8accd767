/**
 * Walks a directory in tree order by descriptors: a directory is opened once, never followed if it
 * is a link, and its children are reached through it, so that nobody can swap it for another.
 */
import { type BigIntStats, closeSync, constants, lstatSync, openSync, readdirSync } from "node:fs";
import type { FileKind, FileStat, FileSystem } from "../file-system.ts";

export interface Found {
  /** Relative to the root; empty: the root. */
  readonly path: Buffer;
  /** Open until the walk goes on; the object is reached through it, by its name. */
  readonly directoryFd: number;
  readonly name: Buffer;
  readonly stat: FileStat;
}

const SLASH = Buffer.from("/");
const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** What vanished or changed its kind between listing and opening; the final pass is quiet. */
const GONE = new Set(["ENOENT", "ENOTDIR", "ELOOP"]);

export const isGone = (error: unknown): boolean =>
  GONE.has((error as NodeJS.ErrnoException).code ?? "");

export const throughFd = (fd: number, name?: Buffer): Buffer =>
  name === undefined
    ? Buffer.from(`/proc/self/fd/${fd}/.`)
    : Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), name]);

const DOT = Buffer.from(".");

type StatSource = Pick<FileSystem, "statAt">;

/** For callers without the system calls of the port: the same, some times slower. */
const nodeStats: StatSource = {
  statAt: (directoryFd, name) => {
    const stat = lstatSync(throughFd(directoryFd, name), { bigint: true });
    const { dev, ino, size, ctimeNs, mtimeNs } = stat;
    const mode = Number(stat.mode & PERMISSIONS);
    const owner = { uid: Number(stat.uid), gid: Number(stat.gid), nlink: Number(stat.nlink) };
    return { kind: kindOf(stat), mode, ...owner, dev, ino, size, ctimeNs, mtimeNs };
  },
};

const PERMISSIONS = 0o7777n;

const kindOf = (stat: BigIntStats): FileKind => {
  if (stat.isFile()) return "file";
  if (stat.isDirectory()) return "directory";
  if (stat.isSymbolicLink()) return "symlink";
  if (stat.isFIFO()) return "fifo";
  if (stat.isSocket()) return "socket";
  return stat.isBlockDevice() ? "block-device" : "character-device";
};

/** The root first, then everything below it, each directory before its children. */
export function* walk(root: string, fileSystem: StatSource = nodeStats): Generator<Found> {
  const fd = openSync(root, DIRECTORY);
  try {
    yield { path: Buffer.alloc(0), directoryFd: fd, name: DOT, stat: fileSystem.statAt(fd, DOT) };
    yield* walkChildren(fd, Buffer.alloc(0), fileSystem);
  } finally {
    closeSync(fd);
  }
}

function* walkChildren(fd: number, parent: Buffer, fileSystem: StatSource): Generator<Found> {
  const names = readdirSync(throughFd(fd), { encoding: "buffer" }).sort(Buffer.compare);
  for (const name of names) {
    const stat = attempt(() => fileSystem.statAt(fd, name));
    if (stat === null) continue;
    const path = parent.length === 0 ? name : Buffer.concat([parent, SLASH, name]);
    yield { path, directoryFd: fd, name, stat };
    if (stat.kind !== "directory") continue;
    const child = attempt(() => openSync(throughFd(fd, name), DIRECTORY));
    if (child === null) continue;
    try {
      yield* walkChildren(child, path, fileSystem);
    } finally {
      closeSync(child);
    }
  }
}

const attempt = <T>(call: () => T): T | null => {
  try {
    return call();
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
};
