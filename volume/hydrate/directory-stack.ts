/**
 * The open directories from the root to where the hydrate works. A child is reached only through its
 * parent's descriptor, so a link that takes a directory's place leads nowhere.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  openSync,
  readdirSync,
  rmSync,
} from "node:fs";
import { comparePaths, type DirectoryEntry } from "../entry.ts";
import type { FileSystem } from "../file-system.ts";
import { throughFd } from "../scan/through-fd.ts";
import { refuseEntry, splitPath } from "./budget.ts";
import { applyXattrs } from "./metadata.ts";

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

const DOT = Buffer.from(".");

interface OpenDirectory {
  readonly path: Buffer;
  readonly fd: number;
  readonly entry: DirectoryEntry;
  /** Names that stood in it and that the snapshot has not named so far, as latin1 text. */
  readonly strays: Set<string>;
  /** Files in it that are still to come. */
  holds: number;
  isLeft: boolean;
}

export interface Place {
  /** A path through the parent's descriptor; valid until the next call of `enter`, or while held. */
  readonly at: Buffer;
  /** The same, as the system calls of the port want it. */
  readonly directoryFd: number;
  readonly name: Buffer;
  /** Something of exactly this name stands there from before. */
  readonly isThere: boolean;
  /** Keeps the directory open and unfinished until the function it returns is called, once. */
  hold(): () => void;
}

export interface DirectoryStack {
  /** Where a child of an open directory can be reached; leaves the directories beside it. */
  enter(path: Buffer): Place;
  /** `isThere`: it may have something in it. */
  push(entry: DirectoryEntry, at: Buffer, isThere: boolean): void;
  /** Finishes all directories that are still open and that nothing holds, the root included. */
  leaveAll(): void;
  /** Closes every descriptor; harmless to repeat. */
  closeAll(): void;
}

export const openDirectoryStack = (root: string, fileSystem: FileSystem): DirectoryStack => {
  const stack: OpenDirectory[] = [];
  const held = new Set<OpenDirectory>();
  let last: Buffer | null = null;
  let rootFd: number | null = openSync(root, DIRECTORY);

  const finishIfDone = (directory: OpenDirectory): void => {
    if (!directory.isLeft || directory.holds > 0) return;
    finishDirectory(directory, fileSystem);
    held.delete(directory);
    closeSync(directory.fd);
  };
  const leave = (): void => {
    const directory = stack.pop();
    if (directory === undefined) return;
    directory.isLeft = true;
    held.add(directory);
    finishIfDone(directory);
  };
  const holdOn = (directory: OpenDirectory) => (): (() => void) => {
    directory.holds += 1;
    return () => {
      directory.holds -= 1;
      finishIfDone(directory);
    };
  };
  return {
    enter: (path) => {
      if (last !== null && comparePaths(last, path) >= 0) {
        throw refuseEntry(path, "is out of order");
      }
      last = path;
      splitPath(path);
      if (path.length === 0 && rootFd !== null) {
        const hold = () => () => undefined;
        return { at: throughFd(rootFd), directoryFd: rootFd, name: DOT, isThere: true, hold };
      }
      const parent = path.subarray(0, Math.max(0, path.lastIndexOf("/")));
      const name = path.subarray(path.lastIndexOf("/") + 1);
      while (stack.length > 0 && stack.at(-1)?.path.equals(parent) !== true) leave();
      const directory = stack.at(-1);
      if (directory === undefined) throw refuseEntry(path, "lies in no directory of the snapshot");
      const isThere = directory.strays.delete(name.toString("latin1"));
      const { fd } = directory;
      const hold = holdOn(directory);
      return { at: throughFd(fd, name), directoryFd: fd, name, isThere, hold };
    },
    push: (entry, at, isThere) => {
      const fd = openSync(at, DIRECTORY);
      const names = isThere ? readdirSync(throughFd(fd), { encoding: "buffer" }) : [];
      const strays = new Set(names.map((name) => name.toString("latin1")));
      stack.push({ path: entry.path, fd, entry, strays, holds: 0, isLeft: false });
    },
    leaveAll: () => {
      while (stack.length > 0) leave();
    },
    closeAll: () => {
      for (const { fd } of [...stack.splice(0), ...held]) closeSync(fd);
      held.clear();
      if (rootFd !== null) closeSync(rootFd);
      rootFd = null;
    },
  };
};

/** Removes what the snapshot does not have. Times last: they would change with everything else. */
const finishDirectory = ({ fd, entry, strays }: OpenDirectory, fileSystem: FileSystem): void => {
  for (const name of strays) {
    rmSync(throughFd(fd, Buffer.from(name, "latin1")), { recursive: true });
  }
  fchownSync(fd, entry.uid, entry.gid);
  fchmodSync(fd, entry.mode);
  applyXattrs(fd, entry, fileSystem);
  fileSystem.setTimes(fd, entry.mtimeNs);
};
