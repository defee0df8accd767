/**
 * The content digest of a tree: what its entries are, without where they are stored, so that equal
 * content has an equal digest on every node, however it was found. Files: block-digests.ts.
 */
import { createHash } from "node:crypto";
import type { Entry } from "./entry.ts";

/** What an entry is, without where it is stored: for the digest of a whole tree. */
export const describeEntry = (entry: Entry): string => {
  const { path, type, mode, uid, gid, mtimeNs, xattrs } = entry;
  return JSON.stringify([
    path.toString("base64"),
    type,
    mode,
    uid,
    gid,
    String(mtimeNs),
    xattrs.map(({ name, value }) => [name, value.toString("base64")]),
    entry.type === "file" ? [entry.size, entry.digest] : null,
    entry.type === "symlink" || entry.type === "hardlink" ? entry.target.toString("base64") : null,
  ]);
};

/** Of the entries of one segment, in their order; in hex. */
export const digestEntries = (entries: Iterable<Entry>): string => {
  const digest = createHash("sha256");
  for (const entry of entries) digest.update(`${describeEntry(entry)}\n`);
  return digest.digest("hex");
};
