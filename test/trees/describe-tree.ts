/**
 * Describes all that a snapshot must bring back, by its own walk: nothing of the engine's is used,
 * so that both can't be wrong in the same way. Times to the nanosecond; content by digest.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { type BigIntStats, lstatSync, readFileSync, readlinkSync } from "node:fs";
import { linuxFileSystem } from "../../adapters/linux.ts";
import { listPaths } from "./change-tree.ts";

const kindOf = (stat: BigIntStats): string => {
  if (stat.isFile()) return "file";
  if (stat.isDirectory()) return "directory";
  if (stat.isSymbolicLink()) return "symlink";
  if (stat.isFIFO()) return "fifo";
  return stat.isSocket() ? "socket" : "device";
};

/** One line an object, sorted by path; objects that are one file name the first of their names. */
export const describeTree = (root: string): string[] => {
  const first = new Map<bigint, string>();
  const rootBytes = Buffer.from(root);
  return [rootBytes, ...listPaths(rootBytes)].map((path) => {
    const stat = lstatSync(path, { bigint: true });
    const name = path.subarray(rootBytes.length).toString("latin1");
    const kind = kindOf(stat);
    const same = first.get(stat.ino) ?? name;
    if (kind !== "directory") first.set(stat.ino, same);
    const xattrs = linuxFileSystem
      .listXattrs(path)
      .map((xattr) => `${xattr.name}=${xattr.value.toString("hex")}`);
    return [
      JSON.stringify(name),
      kind,
      (stat.mode & 0o7777n).toString(8),
      `${stat.uid}:${stat.gid}`,
      String(stat.mtimeNs),
      xattrs.join(","),
      kind === "file" ? `${stat.size} ${digestOf(path)}` : "",
      kind === "symlink" ? readlinkSync(path, { encoding: "buffer" }).toString("hex") : "",
      same === name ? "" : `= ${JSON.stringify(same)}`,
    ].join(" | ");
  });
};

const digestOf = (path: Buffer): string =>
  createHash("sha256").update(readFileSync(path)).digest("hex");

/** What rsync would have to change to make `copy` the same as `original`: nothing, if all is well. */
export const rsyncDifferences = (original: string, copy: string): string =>
  execFileSync(
    "rsync",
    ["-aHAXSn", "--checksum", "--itemize-changes", "--delete", `${original}/`, `${copy}/`],
    { encoding: "utf8" },
  );
