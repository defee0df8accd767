/**
 * Puts the entries of a tree in their places, in tree order. Files are opened now and filled in
 * batches, because their bytes come from the store in ranges that many files share.
 */
import { chmodSync, lchownSync, lstatSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { describeEntry } from "../content-digest.ts";
import type { Entry, FifoEntry, FileEntry, SymlinkEntry } from "../entry.ts";
import { sameIdentity } from "../file-identity.ts";
import type { FileSystem } from "../file-system.ts";
import type { IndexCursor } from "../index-cursor.ts";
import type { FoundEntry, IndexedEntry } from "../local-index.ts";
import type { Clones } from "../scan/clones.ts";
import { refuseEntry } from "./budget.ts";
import { createAt } from "./create-at.ts";
import { openDirectoryStack, type Place } from "./directory-stack.ts";
import type { FrameSource } from "./fetch-frames.ts";
import { type FileTask, openFile } from "./file-task.ts";
import { openFillBatch } from "./fill-batch.ts";
import { openLinks } from "./links.ts";
import { applyXattrs } from "./metadata.ts";
import { newFileResult, planNewFile } from "./new-file-task.ts";

export interface PlacerOptions extends FrameSource {
  readonly directory: string;
  /** Where `known` describes; null: it describes the directory itself. */
  readonly baseDirectory: string | null;
  readonly known: IndexCursor;
  readonly fileSystem: FileSystem;
  readonly clones: Clones;
  readonly counts: { files: number; bytes: number; fetchedBytes: number; reusedBytes: number };
  readonly onWritten: (bytes: number) => void;
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
  const links = openLinks(directory, fileSystem);
  const batch = openFillBatch({ ...options, onMade: links.arrived }, signal);
  const placeFile = async (entry: FileEntry, place: Place, old: FoundEntry | null) => {
    const kept = baseDirectory === null ? keepUntouched(entry, place, old, fileSystem) : null;
    if (kept !== null) {
      counts.files += 1;
      counts.bytes += entry.size;
      counts.reusedBytes += entry.size;
      if (kept.clone !== null) clones.keep(kept.clone.name);
      return () => kept;
    }
    counts.files += 1;
    const isNew = !place.isThere && (baseDirectory === null || old === null);
    const planned = isNew ? planNewFile(entry, place) : null;
    if (planned !== null) {
      links.expect(planned);
      await batch.addNew(planned);
      return () => newFileResult(planned);
    }
    const task: FileTask = openFile({ ...place, entry, old, baseDirectory, fileSystem, clones });
    counts.reusedBytes += task.reusedBytes;
    await batch.add(task);
    return () => task.result();
  };
  const flush = async (): Promise<void> => {
    const makeLinks = links.takeKept();
    await batch.flush();
    makeLinks();
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
      } else if (entry.type === "hardlink") {
        links.place(entry, place);
      } else {
        placeOther(entry, place, fileSystem);
      }
      return () => ({ entry, identity: null, blocks: null, clone: null });
    },
    flush,
    finish: async () => {
      await flush();
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
  createAt(path, () => mkdirSync(at, 0o700));
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
  if (!isIt) return null;
  if (old.entry === entry) return old;
  if (describeEntry(old.entry) !== describeEntry(entry)) return null;
  return { entry, identity: old.identity, blocks: old.blocks, clone: old.clone };
};

const placeOther = (
  entry: SymlinkEntry | FifoEntry,
  { at, isThere }: Place,
  fileSystem: FileSystem,
): void => {
  if (isThere) rmSync(at, { recursive: true });
  if (entry.type === "symlink") createAt(entry.path, () => symlinkSync(entry.target, at));
  else createAt(entry.path, () => fileSystem.makeFifo(at, 0o600));
  lchownSync(at, entry.uid, entry.gid);
  if (entry.type === "fifo") chmodSync(at, entry.mode);
  applyXattrs(at, entry, fileSystem);
  fileSystem.setTimes(at, entry.mtimeNs);
};
