/** The files of a directory as objects under a prefix, such as a volume's inbox. */
import { createReadStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import mime from "mime";
import type { ObjectNotes, S3Bucket } from "../../adapters/s3-bucket.ts";

/** Larger files go part by part. */
const PART_BYTES = 8 * 2 ** 20;
const S_PER_MS = 1_000;

export interface UploadRequest {
  readonly directory: string;
  readonly bucket: S3Bucket;
  readonly prefix: string;
  readonly onProgress: (progress: { readonly files: number; readonly bytes: number }) => void;
}

/** Plain files alone; what else there is (links, pipes) is counted as skipped. */
export const uploadDirectory = async (
  { directory, bucket, prefix, onProgress }: UploadRequest,
  signal: AbortSignal,
): Promise<{ readonly files: number; readonly bytes: number; readonly skipped: number }> => {
  let [files, bytes, skipped] = [0, 0, 0];
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue;
    if (!entry.isFile()) {
      skipped += 1;
      continue;
    }
    const path = join(entry.parentPath, entry.name);
    const key = `${prefix}${relative(directory, path).split(sep).join("/")}`;
    const { size, mtimeMs } = await stat(path);
    const notes: ObjectNotes = {
      contentType: mime.getType(path) ?? "application/octet-stream",
      metadata: { mtime: String(mtimeMs / S_PER_MS) },
    };
    if (size <= PART_BYTES) await bucket.put(key, await readFile(path), notes, signal);
    else {
      const parts = createReadStream(path, { highWaterMark: PART_BYTES });
      await bucket.putParts(key, parts, notes, signal);
    }
    files += 1;
    bytes += size;
    onProgress({ files, bytes });
  }
  return { files, bytes, skipped };
};
