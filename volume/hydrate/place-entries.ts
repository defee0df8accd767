/**
 * Puts the entries of a tree in their places, in tree order. Files are opened now and filled in
 * batches, because their bytes come from the store in ranges that many files share.
 */
import { lchownSync, linkSync, lstatSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { describeEntry } from "../content-digest.ts";
import type { Entry, FileEntry } from "../entry.ts";
import { TerminalError } from "../errors.ts";
import type { FileSystem } from "../file-system.ts";
import type { FoundEntry, IndexCursor } from "../index-cursor.ts";
import type { IndexedEntry } from "../local-index.ts";
import type { ObjectStore } from "../object-store.ts";
import { refuseEntry } from "./budget.ts";
import { openDirectoryStack } from "./directory-stack.ts";
import { type FileTask, openFile } from "./file-task.ts";
import { openFillBatch } from "./fill-batch.ts";
import { applyXattrs } from "./metadata.ts";
import { withParentOf } from "./open-below.ts";

export interface PlacerOptions {
  readonly store: ObjectStore;
  readonly prefix: string;
  readonly directory: string;
  /** Where `known` describes; null: it describes the directory itself. */
  readonly baseDirectory: string | null;
  readonly known: IndexCursor;
  readonly fileSystem: FileSystem;
  readonly counts: { files: number; bytes: number; fetchedBytes: number; reusedBytes: number };
  readonly onProgress: () => void;
}

export interface Placer {
  /** The result can be read after the next flush. */
  place(entry: Entry): Promise<() => IndexedEntry>;
  /** Every file placed so far has its verified content and its metadata. */
  flush(): Promise<void>;
  /** Removes what the snapshot does not have and finishes the directories. Once, last. */
  finish(): Promise<void>;
  /** Lets go of every descriptor; for the way out, whether it succeeded or not. */
  close(): void;
}

export const openPlacer = (options: PlacerOptions, signal: AbortSignal): Placer => {
  const { directory, baseDirectory, known, fileSystem, counts } = options;
  const stack = openDirectoryStack(directory, fileSystem);
  const batch = openFillBatch(options, signal);
  const isInPlace = baseDirectory === null;
  if (isInPlace) {
    known.onSkipped(({ entry }) => {
      const at = stack.peek(entry.path);
      if (at !== null) rmSync(at, { recursive: true, force: true });
    });
  }
  const placeFile = async (entry: FileEntry, at: Buffer, old: FoundEntry | null) => {
    const task: FileTask = openFile({ entry, at, old, directory, baseDirectory });
    counts.files += 1;
    counts.reusedBytes += task.reusedBytes;
    await batch.add(task);
    return () => task.result();
  };
  const flush = async (): Promise<void> => {
    await batch.flush();
    stack.release();
  };
  return {
    place: async (entry) => {
      signal.throwIfAborted();
      const old = await known.seek(entry.path);
      const at = stack.enter(entry.path);
      if (entry.type === "file") return placeFile(entry, at, old);
      const here = isInPlace ? (old?.entry ?? null) : null;
      if (entry.type === "directory") {
        placeDirectory(entry.path, at, here);
        stack.push(entry, at);
      } else {
        placeOther(entry, at, here, directory, fileSystem);
      }
      return () => ({ entry, identity: null, blocks: new Map() });
    },
    flush,
    finish: async () => {
      await known.drain();
      await flush();
      stack.leaveAll();
    },
    close: () => {
      batch.close();
      stack.closeAll();
    },
  };
};

const placeDirectory = (path: Buffer, at: Buffer, here: Entry | null): void => {
  if (path.length === 0) return;
  if (here !== null && here.type !== "directory") rmSync(at, { recursive: true, force: true });
  try {
    mkdirSync(at, 0o700);
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === "EEXIST";
    if (!isThere || here?.type !== "directory" || !lstatSync(at).isDirectory()) {
      throw refuseEntry(path, "stands twice in the snapshot");
    }
  }
};

const placeOther = (
  entry: Exclude<Entry, { type: "file" | "directory" }>,
  at: Buffer,
  here: Entry | null,
  root: string,
  fileSystem: FileSystem,
): void => {
  const isSame =
    here !== null && entry.type !== "hardlink" && describeEntry(here) === describeEntry(entry);
  if (isSame) return;
  if (here !== null) rmSync(at, { recursive: true, force: true });
  if (entry.type === "hardlink") {
    linkTo(root, entry, at);
    return;
  }
  if (entry.type === "symlink") symlinkSync(entry.target, at);
  else fileSystem.makeFifo(at, entry.mode);
  lchownSync(at, entry.uid, entry.gid);
  applyXattrs(at, entry, fileSystem);
  fileSystem.setTimes(at, entry.mtimeNs);
};

const linkTo = (root: string, entry: Extract<Entry, { type: "hardlink" }>, at: Buffer): void => {
  withParentOf(root, entry.target, (existing) => {
    if (!lstatSync(existing).isFile()) throw refuseEntry(entry.path, "links to what is no file");
    try {
      linkSync(existing, at);
    } catch (cause) {
      throw new TerminalError(`can't link ${entry.path.toString()}`, {
        code: "link-failed",
        cause,
      });
    }
  });
};
