/**
 * How large a directory is, and how much of it the next snapshot will have to read. Only names and
 * metadata are looked at, in step with the last snapshot's index, so it costs a walk and no more.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { sameIdentity } from "./file-identity.ts";
import type { FileSystem } from "./file-system.ts";
import { openCursor } from "./index-cursor.ts";
import { openIndex } from "./local-index.ts";
import { walk } from "./scan/walk.ts";

export interface MeasureRequest {
  readonly directory: string;
  /** The index that the next snapshot would be compared with; null: there is none. */
  readonly indexFile: string | null;
}

export interface Measure {
  /** Regular files, each counted once however many names it has. */
  readonly files: number;
  readonly bytes: number;
  /** Files that changed, or may have, since the index was written; with their whole size. */
  readonly dirtyFiles: number;
  readonly dirtyBytes: number;
  /** When the file that was changed last was changed; null: there is none. */
  readonly changedAtMs: number | null;
}

/** The thread's other work, and an abort, get their turn after so many entries. */
const ENTRIES_PER_TURN = 1_000;
const NS_PER_MS = 1_000_000n;

/**
 * Walks the directory while it may be written to; the answer is as good as that allows. Without an
 * index, or with one of another format, everything is dirty.
 */
export const measureDirectory = async (
  { directory, indexFile, fileSystem }: MeasureRequest & { readonly fileSystem: FileSystem },
  signal: AbortSignal,
): Promise<Measure> => {
  const index = indexFile === null ? null : openIndex(indexFile);
  const cursor = openCursor(index);
  const sum = { files: 0, bytes: 0, dirtyFiles: 0, dirtyBytes: 0 };
  let changedAtMs: number | null = null;
  const linked = new Set<string>();
  let entries = 0;
  try {
    for await (const items of walk(directory, fileSystem)) {
      for (const { path, stat } of items) {
        entries += 1;
        if (entries % ENTRIES_PER_TURN === 0) await nextTurn(undefined, { signal });
        const known = cursor.seek(path);
        if (stat.kind !== "file") continue;
        changedAtMs = Math.max(changedAtMs ?? 0, Number(stat.mtimeNs / NS_PER_MS));
        if (stat.nlink > 1) {
          const inode = `${stat.dev}:${stat.ino}`;
          if (linked.has(inode)) continue;
          linked.add(inode);
        }
        const bytes = Number(stat.size);
        sum.files += 1;
        sum.bytes += bytes;
        const identity = known?.identity ?? null;
        if (identity !== null && sameIdentity(identity, stat)) continue;
        sum.dirtyFiles += 1;
        sum.dirtyBytes += bytes;
      }
    }
    return { ...sum, changedAtMs };
  } finally {
    index?.close();
  }
};
