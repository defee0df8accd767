/**
 * The open directories from the root to where the hydrate works. A child is reached only through its
 * parent's descriptor, so a link that takes a directory's place leads nowhere.
 */
import { closeSync, constants, fchmodSync, fchownSync, openSync } from "node:fs";
import { comparePaths, type DirectoryEntry } from "../entry.ts";
import type { FileSystem } from "../file-system.ts";
import { throughFd } from "../scan/walk.ts";
import { refuseEntry, splitPath } from "./budget.ts";
import { applyXattrs } from "./metadata.ts";

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

interface OpenDirectory {
  readonly path: Buffer;
  readonly fd: number;
  readonly entry: DirectoryEntry | null;
}

export interface DirectoryStack {
  /** Where a child of an open directory can be reached; leaves the directories beside it. */
  enter(path: Buffer): Buffer;
  /** The same without leaving anything; null when its directory is not open. */
  peek(path: Buffer): Buffer | null;
  push(entry: DirectoryEntry, at: Buffer): void;
  /** Directories left since the last call are closed; their children are finished. */
  release(): void;
  /** Finishes all directories that are still open, the root included. */
  leaveAll(): void;
  /** Closes every descriptor; harmless to repeat. */
  closeAll(): void;
}

export const openDirectoryStack = (root: string, fileSystem: FileSystem): DirectoryStack => {
  const stack: OpenDirectory[] = [];
  let left: number[] = [];
  let last: Buffer | null = null;
  let rootFd: number | null = openSync(root, DIRECTORY);

  const leave = (): void => {
    const directory = stack.pop();
    if (directory === undefined) return;
    if (directory.entry !== null) finishDirectory(directory.fd, directory.entry, fileSystem);
    left.push(directory.fd);
  };
  const release = (): void => {
    for (const fd of left) closeSync(fd);
    left = [];
  };
  const parentOf = (path: Buffer): Buffer => path.subarray(0, Math.max(0, path.lastIndexOf("/")));
  const nameOf = (path: Buffer): Buffer => path.subarray(path.lastIndexOf("/") + 1);
  return {
    enter: (path) => {
      if (last !== null && comparePaths(last, path) >= 0)
        throw refuseEntry(path, "is out of order");
      last = path;
      splitPath(path);
      if (path.length === 0 && rootFd !== null) return throughFd(rootFd);
      const parent = parentOf(path);
      while (stack.length > 0 && stack.at(-1)?.path.equals(parent) !== true) leave();
      const directory = stack.at(-1);
      if (directory === undefined) throw refuseEntry(path, "lies in no directory of the snapshot");
      return throughFd(directory.fd, nameOf(path));
    },
    peek: (path) => {
      const directory = stack.find((open) => open.path.equals(parentOf(path)));
      return directory === undefined ? null : throughFd(directory.fd, nameOf(path));
    },
    push: (entry, at) => {
      stack.push({ path: entry.path, fd: openSync(at, DIRECTORY), entry });
    },
    release,
    leaveAll: () => {
      while (stack.length > 0) leave();
      release();
    },
    closeAll: () => {
      for (const { fd } of stack.splice(0)) closeSync(fd);
      release();
      if (rootFd !== null) closeSync(rootFd);
      rootFd = null;
    },
  };
};

/** Times last: they would change with everything else. */
const finishDirectory = (fd: number, entry: DirectoryEntry, fileSystem: FileSystem): void => {
  const at = throughFd(fd);
  fchownSync(fd, entry.uid, entry.gid);
  fchmodSync(fd, entry.mode);
  applyXattrs(at, entry, fileSystem);
  fileSystem.setTimes(at, entry.mtimeNs);
};
