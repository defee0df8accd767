/** The files of a snapshot as objects under any prefix: by hand, what publishing does by itself. */
import type { S3Bucket } from "../../adapters/s3-bucket.ts";
import { diffSnapshots } from "../../volume/list-entries.ts";
import type { SnapshotPlace } from "../../volume/snapshot.ts";
import { findChange } from "../publish-volume/find-changes.ts";
import { publishedKey } from "../publish-volume/published-key.ts";
import { type FileToWrite, SMALL_BYTES_MAX, writeFiles } from "../publish-volume/write-files.ts";

export interface ExportRequest {
  readonly place: SnapshotPlace;
  readonly bucket: S3Bucket;
  /** Empty, or ending in `/`. What stands below it already stays. */
  readonly prefix: string;
  readonly onProgress: (progress: { readonly files: number; readonly bytes: number }) => void;
}

export interface Exported {
  readonly files: number;
  readonly bytes: number;
  /** Names that have no object, with the reason. */
  readonly leftOut: readonly { readonly name: string; readonly reason: string }[];
}

const BATCH_FILES_MAX = 200;
const BATCH_BYTES_MAX = 2 * SMALL_BYTES_MAX;

/** A further name of a file is an object of its own, of the same content. */
export const exportSnapshot = async (
  { place, bucket, prefix, onProgress }: ExportRequest,
  signal: AbortSignal,
): Promise<Exported> => {
  const leftOut: { name: string; reason: string }[] = [];
  const links = new Map<string, Buffer[]>();
  let [files, bytes, batchBytes] = [0, 0, 0];
  let batch: FileToWrite[] = [];
  const flush = async (): Promise<void> => {
    await writeFiles({ source: place, bucket }, batch, signal);
    files += batch.length;
    bytes += batch.reduce((sum, { file }) => sum + file.size, 0);
    [batch, batchBytes] = [[], 0];
    onProgress({ files, bytes });
  };
  const add = async (item: FileToWrite): Promise<void> => {
    batch.push(item);
    batchBytes += Math.min(item.file.size, SMALL_BYTES_MAX);
    if (batch.length >= BATCH_FILES_MAX || batchBytes >= BATCH_BYTES_MAX) await flush();
  };
  for await (const difference of diffSnapshots(null, place, signal)) {
    const { put, link, leftOut: reason } = findChange(prefix, difference);
    if (reason !== null) leftOut.push({ name: difference.path.toString("utf8"), reason });
    if (put !== null) await add(put);
    if (link === null) continue;
    const target = link.toString("base64");
    links.set(target, [...(links.get(target) ?? []), difference.path]);
  }
  if (links.size > 0) {
    for await (const { path, after } of diffSnapshots(null, place, signal)) {
      for (const name of links.get(path.toString("base64")) ?? []) {
        const key = publishedKey(prefix, name);
        if (after?.type === "file" && key.kind === "key") await add({ key: key.key, file: after });
      }
    }
  }
  await flush();
  return { files, bytes, leftOut };
};
