/** One difference between two trees → what it means for the bucket. Pure. */
import type { Entry, FileEntry } from "../../volume/entry.ts";
import type { EntryDifference } from "../../volume/list-entries.ts";
import { PUBLISHED_BYTES_MAX, publishedKey } from "./published-key.ts";

export interface Change {
  /** Write this file under the key. */
  readonly put: { readonly key: string; readonly file: FileEntry } | null;
  readonly deleteKey: string | null;
  /** It is, or no longer is, a further name of this file. */
  readonly link: Buffer | null;
  /** Why nothing stands for it in the bucket; null: something does, or it is no file. */
  readonly leftOut: string | null;
  /** Its content changed: so did that of all its further names. */
  readonly isNewContent: boolean;
}

export const findChange = (prefix: string, { path, before, after }: EntryDifference): Change => {
  const name = publishedKey(prefix, path);
  const key = name.kind === "key" ? name.key : null;
  const leftOut =
    whyLeftOut(after) ?? (isFile(after) && name.kind === "left-out" ? name.reason : null);
  const stands = isFile(after) && leftOut === null;
  const isNewContent = after?.type === "file" && !isSameFile(before, after);
  return {
    put: stands && isNewContent && key !== null ? { key, file: after } : null,
    deleteKey: isFile(before) && !stands ? key : null,
    link: after?.type === "hardlink" && stands ? after.target : null,
    leftOut,
    isNewContent,
  };
};

const isFile = (entry: Entry | null): boolean =>
  entry?.type === "file" || entry?.type === "hardlink";

/** Times count: clients compare them. Owners and modes have no place in the bucket. */
const isSameFile = (before: Entry | null, after: FileEntry): boolean =>
  before?.type === "file" &&
  before.digest === after.digest &&
  before.size === after.size &&
  before.mtimeNs === after.mtimeNs;

const whyLeftOut = (entry: Entry | null): string | null => {
  switch (entry?.type) {
    case "symlink":
      return `a symbolic link, to ${entry.target.toString("utf8")}`;
    case "fifo":
      return "a named pipe";
    case "file":
      return entry.size > PUBLISHED_BYTES_MAX ? "larger than S3 allows" : null;
    default:
      return null;
  }
};
