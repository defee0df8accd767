/**
 * Clones of a volume's larger files, kept from one snapshot to the next where the file system shares
 * data between files (XFS, btrfs). A clone is what was read, frozen: compared with the next one it
 * tells what changed. Losing one costs a read of its file.
 */
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { FileSystem } from "../file-system.ts";
import type { NotedClone } from "../local-index.ts";

/** Smaller files are read faster than cloned and compared. */
export const CLONE_BYTES_MIN = 512 * 1_024;

export interface Clones {
  /** A new clone of the open file, to be closed by the caller. Null: not on this file system. */
  take(fd: number): { readonly name: string; readonly fd: number } | null;
  /** A new clone of the open file, which stays. Null: not on this file system. */
  make(fd: number): NotedClone | null;
  /** The clone of that name, open, or null when it is gone. */
  open(name: string): number | null;
  /** The clone belongs to the index being written, and stays. */
  keep(name: string): void;
  /** Removes all clones but those kept. */
  sweep(): void;
}

const NAME = /^[0-9a-z.-]{1,120}$/;

/**
 * `owner` tells whose new clones are. Clones of one copy of a volume stand together beside its indexes
 * and move with them.
 */
export const openClones = (indexFile: string, owner: string, fileSystem: FileSystem): Clones => {
  const directory = join(dirname(indexFile), "clones");
  const kept = new Set<string>();
  let named = 0;
  let isSupported = true;
  const newName = (): string => {
    named += 1;
    const name = `${owner}.${named}`;
    // What goes on where another ended finds the clones of that one.
    return existsSync(join(directory, name)) ? newName() : name;
  };
  const take: Clones["take"] = (source) => {
    if (!isSupported) return null;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const name = newName();
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const fd = openSync(join(directory, name), flags, 0o600);
    if (fileSystem.cloneFile(source, fd)) return { name, fd };
    closeSync(fd);
    rmSync(join(directory, name));
    isSupported = false;
    return null;
  };
  return {
    take,
    make: (source) => {
      const clone = take(source);
      if (clone === null) return null;
      closeSync(clone.fd);
      kept.add(clone.name);
      return { name: clone.name, stale: [] };
    },
    open: (name) => {
      if (!NAME.test(name)) return null;
      try {
        return openSync(join(directory, name), constants.O_RDONLY | constants.O_NOFOLLOW);
      } catch {
        return null;
      }
    },
    keep: (name) => {
      kept.add(name);
    },
    sweep: () => {
      for (const name of listClones(directory)) {
        if (!kept.has(name)) rmSync(join(directory, name), { force: true });
      }
    },
  };
};

const listClones = (directory: string): string[] => {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
};
