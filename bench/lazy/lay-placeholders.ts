/** The tree of a snapshot without its data: every file has its size and nothing in it. */
import {
  chmodSync,
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import type { Extent } from "../../volume/entry.ts";
import { listEntries } from "../../volume/list-entries.ts";
import type { SnapshotPlace } from "../../volume/snapshot.ts";

export interface Placeholder {
  readonly path: string;
  readonly inode: number;
  readonly mtimeS: number;
  readonly extents: readonly Extent[];
}

/** Files, directories and symbolic links, which is all that the benchmark's volume has. */
export const layPlaceholders = async (
  place: SnapshotPlace,
  directory: string,
  signal: AbortSignal,
): Promise<Placeholder[]> => {
  const files: Placeholder[] = [];
  for await (const entry of listEntries(place, signal)) {
    const path = join(directory, entry.path.toString());
    if (entry.type === "directory") mkdirSync(path, { recursive: true, mode: entry.mode });
    if (entry.type === "symlink") symlinkSync(entry.target, path);
    if (entry.type !== "file") continue;
    const fd = openSync(path, "wx", entry.mode);
    ftruncateSync(fd, entry.size);
    const inode = fstatSync(fd).ino;
    closeSync(fd);
    chmodSync(path, entry.mode);
    const mtimeS = Number(entry.mtimeNs) / 1e9;
    if (entry.extents.length > 0) files.push({ path, inode, mtimeS, extents: entry.extents });
  }
  return files;
};
