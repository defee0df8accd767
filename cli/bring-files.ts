/** Brings a snapshot's files, all or one folder of them, into a directory of this machine. */
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { linuxFileSystem } from "../adapters/linux.ts";
import type { FileEntry } from "../volume/entry.ts";
import { TerminalError } from "../volume/errors.ts";
import { hydrate } from "../volume/hydrate/hydrate.ts";
import { pathWithin } from "../volume/hydrate/select-subtree.ts";
import { listEntries } from "../volume/list-entries.ts";
import { readContent } from "../volume/read-content.ts";
import type { SnapshotPlace } from "../volume/snapshot.ts";
import type { Context } from "./context.ts";
import { formatBytes } from "./format.ts";
import { openLiveProgress } from "./live-progress.ts";

/** The directory must be new or empty: nothing is merged and nothing replaced. Returns what to say. */
export const bringFiles = async (
  { control, signal }: Context,
  place: SnapshotPlace,
  target: string,
  subtree?: Buffer,
): Promise<string> => {
  const directory = resolve(target);
  if (existsSync(directory) && readdirSync(directory).length > 0) {
    throw new TerminalError(`${directory} is not empty, and nothing is merged into it`, {
      code: "directory-not-empty",
      hint: "name a new directory",
    });
  }
  const sizeOfPart = subtree === undefined ? null : await measure(place, subtree, signal);
  mkdirSync(dirname(directory), { recursive: true });
  // Beside the target: the index must be on its file system, and goes when the files are there.
  const work = mkdtempSync(join(dirname(directory), ".bagage-restore-"));
  const live = openLiveProgress(place.snapshotId, control.nowMs);
  try {
    const { files, bytes, fetchedBytes } = await hydrate(
      {
        ...place,
        directory,
        subtree,
        indexFile: join(work, "index"),
        base: null,
        fileSystem: linuxFileSystem,
        onProgress: ({ bytes: doneBytes, bytesTotal, fetchedBytes: transferredBytes }) =>
          live.tell({ doneBytes, totalBytes: sizeOfPart ?? bytesTotal, transferredBytes }),
      },
      signal,
    ).finally(live.end);
    return `${place.snapshotId}: ${files} files, ${formatBytes(bytes)} in ${directory} (fetched ${formatBytes(fetchedBytes)})`;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
};

/** Bytes of the files at and below the path; costs the tree, which the copy reads anyway. */
const measure = async (
  place: SnapshotPlace,
  subtree: Buffer,
  signal: AbortSignal,
): Promise<number> => {
  let bytes = 0;
  for await (const entry of listEntries(place, signal)) {
    if (entry.type === "file" && pathWithin(subtree, entry.path) !== null) bytes += entry.size;
  }
  return bytes;
};

/** One file, whose name must be new. Its mode is kept, so far as this user may set it. */
export const bringFile = async (
  { control, signal }: Context,
  place: SnapshotPlace,
  file: FileEntry,
  path: string,
): Promise<string> => {
  const live = openLiveProgress(file.path.toString(), control.nowMs);
  let doneBytes = 0;
  const content = async function* () {
    for await (const chunk of readContent(place, file, signal)) {
      doneBytes += chunk.length;
      live.tell({ doneBytes, totalBytes: file.size, transferredBytes: doneBytes });
      yield chunk;
    }
  };
  const output = createWriteStream(path, { flags: "wx", mode: file.mode & 0o777 });
  try {
    await pipeline(Readable.from(content(), { objectMode: false }), output, { signal });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    throw new TerminalError(`${path} exists already, and is not replaced`, {
      code: "file-exists",
      hint: "name a new file",
      cause: error,
    });
  } finally {
    live.end();
  }
  return `${file.path.toString()}: ${formatBytes(file.size)} in ${path}`;
};
