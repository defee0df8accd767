/** The files of a directory as objects under a prefix, such as a volume's inbox. */
import { createReadStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import mime from "mime";
import type { ObjectNotes, S3Bucket } from "../../adapters/s3-bucket.ts";
import { allEnded } from "../../volume/all-ended.ts";
import { inParts, PART_BYTES_MIN, partBytesOf } from "./in-parts.ts";

const UPLOADED_AT_ONCE = 8;
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
  const { paths, skipped } = await listFiles(directory);
  let [files, bytes] = [0, 0];
  const rest = [...paths];
  const work = async (): Promise<void> => {
    for (let path = rest.shift(); path !== undefined; path = rest.shift()) {
      const key = `${prefix}${relative(directory, path).split(sep).join("/")}`;
      bytes += await uploadFile(bucket, key, path, signal);
      files += 1;
      onProgress({ files, bytes });
    }
  };
  await allEnded(Array.from({ length: UPLOADED_AT_ONCE }, work));
  return { files, bytes, skipped };
};

/** What an upload will have to bring, for its progress. */
export const measureDirectory = async (directory: string): Promise<{ readonly bytes: number }> => {
  const { paths } = await listFiles(directory);
  let bytes = 0;
  for (const path of paths) bytes += (await stat(path)).size;
  return { bytes };
};

const listFiles = async (directory: string) => {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const others = entries.filter((entry) => !entry.isDirectory());
  const files = others.filter((entry) => entry.isFile());
  const paths = files.map(({ parentPath, name }) => join(parentPath, name));
  return { paths, skipped: others.length - files.length };
};

const uploadFile = async (
  bucket: S3Bucket,
  key: string,
  path: string,
  signal: AbortSignal,
): Promise<number> => {
  const { size, mtimeMs } = await stat(path);
  const notes: ObjectNotes = {
    contentType: mime.getType(path) ?? "application/octet-stream",
    metadata: { mtime: String(mtimeMs / S_PER_MS) },
  };
  if (size <= PART_BYTES_MIN) await bucket.put(key, await readFile(path), notes, signal);
  else {
    await bucket.putParts(key, inParts(createReadStream(path), partBytesOf(size)), notes, signal);
  }
  return size;
};
