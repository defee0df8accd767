/**
 * Puts the entries of a tree in their places, in tree order. Files are opened now and filled in
 * batches, because their bytes come from the store in ranges that many files share.
 */
import {
  chmodSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { describeEntry } from "../content-digest.ts";
import type { Entry, FileEntry } from "../entry.ts";
import type { FileSystem } from "../file-system.ts";
import type { FoundEntry, IndexCursor } from "../index-cursor.ts";
import type { IndexedEntry } from "../local-index.ts";
import type { Clones } from "../scan/clones.ts";
import { sameIdentity } from "../scan/read-file.ts";
import { isGone } from "../scan/walk.ts";
import { refuseEntry } from "./budget.ts";
import { openDirectoryStack, type Place } from "./directory-stack.ts";
import type { FrameSource } from "./fetch-frames.ts";
import { type FileTask, openFile } from "./file-task.ts";
import { openFillBatch } from "./fill-batch.ts";
import { applyXattrs } from "./metadata.ts";
import { withParentOf } from "./open-below.ts";

export interface PlacerOptions extends FrameSource {
  readonly directory: string;
  /** Where `known` describes; null: it describes the directory itself. */
  readonly baseDirectory: string | null;
  readonly known: IndexCursor;
  readonly fileSystem: FileSystem;
  readonly clones: Clones;
  readonly counts: { files: number; bytes: number; fetchedBytes: number; reusedBytes: number };
  readonly onProgress: () => void;
}

export interface Placer {
  /** The result can be read after the next flush. */
  place(entry: Entry): Promise<() => IndexedEntry>;
  /** Every file placed so far has its verified content and its metadata. */
  flush(): Promise<void>;
  /** Finishes the directories. Once, last. */
  finish(): Promise<void>;
  /** Lets go of every descriptor; for the way out, whether it succeeded or not. */
  close(): Promise<void>;
}

export const openPlacer = (options: PlacerOptions, signal: AbortSignal): Placer => {
  const { directory, baseDirectory, known, fileSystem, clones, counts } = options;
  const stack = openDirectoryStack(directory, fileSystem);
  const batch = openFillBatch(options, signal);
  const placeFile = async (entry: FileEntry, place: Place, old: FoundEntry | null) => {
    const kept = baseDirectory === null ? keepUntouched(entry, place, old, fileSystem) : null;
    if (kept !== null) {
      counts.files += 1;
      counts.bytes += entry.size;
      counts.reusedBytes += entry.size;
      if (kept.clone !== null) clones.keep(kept.clone);
      return () => kept;
    }
    const task: FileTask = openFile({ ...place, entry, old, baseDirectory, fileSystem, clones });
    counts.files += 1;
    counts.reusedBytes += task.reusedBytes;
    await batch.add(task);
    return () => task.result();
  };
  return {
    place: async (entry) => {
      signal.throwIfAborted();
      if (entry.path.length === 0 && entry.type !== "directory") {
        throw refuseEntry(entry.path, "is the root, and no directory");
      }
      const old = known.seek(entry.path);
      const place = stack.enter(entry.path);
      if (entry.type === "file") return placeFile(entry, place, old);
      if (entry.type === "directory") {
        stack.push(entry, place.at, placeDirectory(entry.path, place));
      } else {
        placeOther(entry, place, directory, fileSystem);
      }
      return () => ({ entry, identity: null, blocks: null, clone: null });
    },
    flush: () => batch.flush(),
    finish: async () => {
      await batch.flush();
      stack.leaveAll();
    },
    close: async () => {
      await batch.close();
      stack.closeAll();
    },
  };
};

/** Whether there was a directory already, which may have something in it. */
const placeDirectory = (path: Buffer, { at, isThere }: Place): boolean => {
  if (path.length === 0) return true;
  if (isThere && lstatSync(at).isDirectory()) return true;
  if (isThere) rmSync(at);
  create(path, () => mkdirSync(at, 0o700));
  return false;
};

/** The old file as it is, when it is untouched and what the snapshot has: most files of a delta. */
const keepUntouched = (
  entry: FileEntry,
  { directoryFd, name, isThere }: Place,
  old: FoundEntry | null,
  fileSystem: FileSystem,
): IndexedEntry | null => {
  if (!isThere || old === null || old.identity === null || old.entry.type !== "file") return null;
  if (old.entry.digest !== entry.digest) return null;
  const isIt = sameIdentity(old.identity, fileSystem.statAt(directoryFd, name));
  if (!isIt || describeEntry(old.entry) !== describeEntry(entry)) return null;
  return { entry, identity: old.identity, blocks: old.blocks, clone: old.clone };
};

const placeOther = (
  entry: Exclude<Entry, { type: "file" | "directory" }>,
  { at, isThere }: Place,
  root: string,
  fileSystem: FileSystem,
): void => {
  if (isThere) rmSync(at, { recursive: true });
  if (entry.type === "hardlink") {
    linkTo(root, entry, at);
    return;
  }
  if (entry.type === "symlink") create(entry.path, () => symlinkSync(entry.target, at));
  else create(entry.path, () => fileSystem.makeFifo(at, 0o600));
  lchownSync(at, entry.uid, entry.gid);
  if (entry.type === "fifo") chmodSync(at, entry.mode);
  applyXattrs(at, entry, fileSystem);
  fileSystem.setTimes(at, entry.mtimeNs);
};

/** On a file system that folds names, two entries can be one: never one written over the other. */
const create = (path: Buffer, make: () => void): void => {
  try {
    make();
  } catch (error) {
    const isTwin = (error as NodeJS.ErrnoException).code === "EEXIST";
    throw isTwin ? refuseEntry(path, "stands twice in the snapshot") : error;
  }
};

const linkTo = (root: string, entry: Extract<Entry, { type: "hardlink" }>, at: Buffer): void => {
  try {
    withParentOf(root, entry.target, (existing) => {
      if (!lstatSync(existing).isFile()) throw refuseEntry(entry.path, "links to what is no file");
      create(entry.path, () => linkSync(existing, at));
    });
  } catch (error) {
    throw isGone(error) ? refuseEntry(entry.path, "links to what is not in the snapshot") : error;
  }
};
