/**
 * Walks a directory in tree order by descriptors: a directory is opened once, never followed if it
 * is a link, and its children are reached through it, so that nobody can swap it for another.
 */
import { constants, openSync } from "node:fs";
import type { FileStat, FileSystem } from "../file-system.ts";
import { type Listing, type Looked, openListing } from "./listing.ts";
import { throughFd, unlessGone } from "./through-fd.ts";

export interface Found {
  /** Relative to the root; empty: the root. */
  readonly path: Buffer;
  /** Open until the walk goes on; the object is reached through it, by its name. */
  readonly directoryFd: number;
  readonly name: Buffer;
  readonly stat: FileStat;
}

const SLASH = Buffer.from("/");
const DOT = Buffer.from(".");
const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** So many of a directory's next subdirectories are open, and being looked at. */
const DIRECTORIES_AHEAD = 2;

/** The root first, then everything below it, each directory before its children; some at a time. */
export async function* walk(
  root: string,
  fileSystem: FileSystem,
): AsyncGenerator<readonly Found[]> {
  const listing = openListing(openSync(root, DIRECTORY), fileSystem);
  const { fd } = listing;
  try {
    const stat = fileSystem.statAt(fd, DOT);
    yield [{ path: Buffer.alloc(0), directoryFd: fd, name: DOT, stat }];
    yield* walkChildren(listing, Buffer.alloc(0), fileSystem);
  } finally {
    await listing.close();
  }
}

async function* walkChildren(
  listing: Listing,
  parent: Buffer,
  fileSystem: FileSystem,
): AsyncGenerator<readonly Found[]> {
  const { fd } = listing;
  for (;;) {
    const group = await listing.next();
    if (group === null) return;
    const children = openAhead(fd, group, fileSystem);
    let found: Found[] = [];
    try {
      for (const { name, stat } of group) {
        const path = parent.length === 0 ? name : Buffer.concat([parent, SLASH, name]);
        found.push({ path, directoryFd: fd, name, stat });
        if (stat.kind !== "directory") continue;
        yield found;
        found = [];
        const child = children.next();
        if (child !== null) yield* walkBelow(child, path, fileSystem);
      }
      if (found.length > 0) yield found;
    } finally {
      await children.close();
    }
  }
}

async function* walkBelow(
  listing: Listing,
  path: Buffer,
  fileSystem: FileSystem,
): AsyncGenerator<readonly Found[]> {
  try {
    yield* walkChildren(listing, path, fileSystem);
  } finally {
    await listing.close();
  }
}

/** The subdirectories of a group, one after another, some ahead; null: it is gone, or no directory. */
const openAhead = (fd: number, group: readonly Looked[], fileSystem: FileSystem) => {
  const names = group.flatMap(({ name, stat }) => (stat.kind === "directory" ? [name] : []));
  const ahead: (Listing | null)[] = [];
  let opened = 0;
  const open = (name: Buffer): Listing | null => {
    const child = unlessGone(() => openSync(throughFd(fd, name), DIRECTORY));
    return child === null ? null : openListing(child, fileSystem);
  };
  return {
    next: (): Listing | null => {
      for (const name of names.slice(opened, opened + 1 + DIRECTORIES_AHEAD - ahead.length)) {
        ahead.push(open(name));
        opened += 1;
      }
      return ahead.shift() ?? null;
    },
    close: async (): Promise<void> => {
      for (const listing of ahead) await listing?.close();
    },
  };
};
