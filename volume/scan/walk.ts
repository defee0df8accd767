/**
 * Walks a directory in tree order by descriptors: a directory is opened once, never followed if it
 * is a link, and its children are reached through it, so that nobody can swap it for another.
 */
import { type BigIntStats, closeSync, constants, lstatSync, openSync, readdirSync } from "node:fs";

export interface Found {
  /** Relative to the root; empty: the root. */
  readonly path: Buffer;
  /** A path by which the object can be reached now, until the walk goes on. */
  readonly at: Buffer;
  readonly stat: BigIntStats;
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

/** The root first, then everything below it, each directory before its children. */
export function* walk(root: string): Generator<Found> {
  const fd = openSync(root, DIRECTORY);
  try {
    const at = throughFd(fd);
    yield { path: Buffer.alloc(0), at, stat: lstatSync(at, { bigint: true }) };
    yield* walkChildren(fd, Buffer.alloc(0));
  } finally {
    closeSync(fd);
  }
}

function* walkChildren(fd: number, parent: Buffer): Generator<Found> {
  const names = readdirSync(throughFd(fd), { encoding: "buffer" }).sort(Buffer.compare);
  for (const name of names) {
    const at = throughFd(fd, name);
    const stat = attempt(() => lstatSync(at, { bigint: true }));
    if (stat === null) continue;
    const path = parent.length === 0 ? name : Buffer.concat([parent, SLASH, name]);
    yield { path, at, stat };
    if (!stat.isDirectory()) continue;
    const child = attempt(() => openSync(at, DIRECTORY));
    if (child === null) continue;
    try {
      yield* walkChildren(child, path);
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
