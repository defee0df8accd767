/** What a file begins with: its former self in place, a copy of another copy's file, or nothing. */
import { closeSync, constants, copyFileSync, lstatSync, openSync, rmSync } from "node:fs";
import { type BlockDigests, blockBytesOf } from "../block-digests.ts";
import type { Extent } from "../entry.ts";
import { identityOf, sameIdentity } from "../file-identity.ts";
import type { FoundEntry, NotedClone } from "../local-index.ts";
import { isGone } from "../scan/through-fd.ts";
import { withParentOf } from "./open-below.ts";

export interface Start {
  readonly fd: number;
  readonly size: number;
  /** Where what is now at the descriptor stands in the store. */
  readonly extents: readonly Extent[];
  /** Its block digests; null: it is empty. */
  readonly blocks: BlockDigests | null;
  /** Of the file as it is now, among this copy's clones. */
  readonly clone: NotedClone | null;
}

const REOPEN = constants.O_RDWR | constants.O_NOFOLLOW;
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export const startAfresh = (fd: number): Start => ({
  ...{ fd, size: 0, extents: [], blocks: null, clone: null },
});

/** The file in its place, when it is the very file that the index knows, under one name only. */
export const reopen = (at: Buffer, old: FoundEntry | null, blockBytes: number): Start | null => {
  if (!isUsable(old, blockBytes)) return null;
  const fd = openOrNull(at, REOPEN);
  if (fd === null) return null;
  const now = identityOf(fd);
  const isIt = now.nlink === 1n && old.identity !== null && sameIdentity(old.identity, now);
  if (isIt) return { ...startFrom(fd, old), clone: old.clone };
  closeSync(fd);
  return null;
};

/** A copy (by reference where the file system can) of the other copy's file, if it is untouched. */
export const copyBase = (
  base: string,
  at: Buffer,
  old: FoundEntry | null,
  path: Buffer,
  blockBytes: number,
): Start | null => {
  if (!isUsable(old, blockBytes)) return null;
  // A plain copy fills holes; a file that is mostly holes is cheaper to fetch.
  const dataBytes = old.entry.extents.reduce((sum, { length }) => sum + length, 0);
  if (dataBytes < old.entry.size / 2) return null;
  const isCopied = withParentOrNull(base, path, (source) => copyUntouched(source, at, old));
  if (isCopied === true) return startFrom(openSync(at, REOPEN), old);
  if (isCopied === false) rmSync(at, { force: true });
  return null;
};

type UsableEntry = FoundEntry & { readonly entry: { readonly type: "file" } };

const isUsable = (old: FoundEntry | null, blockBytes: number): old is UsableEntry =>
  old !== null &&
  old.identity !== null &&
  old.entry.type === "file" &&
  blockBytesOf(old.entry.size) === blockBytes;

const startFrom = (fd: number, { entry, blocks }: UsableEntry): Start => ({
  fd,
  size: entry.size,
  extents: entry.extents,
  blocks,
  clone: null,
});

const copyUntouched = (source: Buffer, at: Buffer, { identity }: FoundEntry): boolean => {
  const fd = openOrNull(source, READ);
  if (fd === null || identity === null) return false;
  try {
    if (!sameIdentity(identity, identityOf(fd))) return false;
    const mode = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE;
    copyFileSync(`/proc/self/fd/${fd}`, at, mode);
    return sameIdentity(identity, identityOf(fd));
  } finally {
    closeSync(fd);
  }
};

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
