/** The entries at and below one path of a tree, as a tree of its own. */
import { type Entry, SLASH } from "../entry.ts";
import { findEntry } from "../list-entries.ts";
import type { SnapshotPlace } from "../snapshot.ts";

/** The path below `root`, empty for the root itself; null: not in it. */
export const pathWithin = (root: Buffer, path: Buffer): Buffer | null => {
  if (root.length === 0) return path;
  if (!path.subarray(0, root.length).equals(root)) return null;
  if (path.length === root.length) return Buffer.alloc(0);
  return path[root.length] === SLASH ? path.subarray(root.length + 1) : null;
};

/**
 * What of each entry belongs to the subtree, with its path there; null: nothing. Call it with every
 * entry, in tree order. The first name in the subtree of a file whose first name of all is outside it
 * becomes the file.
 */
export const selectSubtree = (
  place: SnapshotPlace & { readonly subtree?: Buffer | undefined },
  signal: AbortSignal,
): ((entry: Entry) => Promise<Entry | null>) => {
  const { subtree } = place;
  const firstNames = new Map<string, Buffer>();
  return async (entry) => {
    if (subtree === undefined) return entry;
    const path = pathWithin(subtree, entry.path);
    if (path === null) return null;
    if (entry.type !== "hardlink") return { ...entry, path };
    const within = pathWithin(subtree, entry.target);
    const name = entry.target.toString("base64");
    const target = within ?? firstNames.get(name);
    if (target !== undefined) return { ...entry, path, target };
    firstNames.set(name, path);
    const file = await findEntry(place, entry.target, signal);
    return file?.type === "file" ? { ...file, path } : { ...entry, path };
  };
};
