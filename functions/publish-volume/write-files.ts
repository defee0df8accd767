/** Writes files of a snapshot as objects: small ones read together, large ones part by part. */
import mime from "mime";
import type { ObjectNotes, S3Bucket } from "../../adapters/s3-bucket.ts";
import { allEnded } from "../../volume/all-ended.ts";
import type { FileEntry } from "../../volume/entry.ts";
import type { FrameSource } from "../../volume/hydrate/fetch-frames.ts";
import { readContent } from "../../volume/read-content.ts";
import { readFiles } from "../../volume/read-files.ts";
import { inParts, PART_BYTES_MIN, partBytesOf } from "../spaces/in-parts.ts";

export interface FileToWrite {
  readonly key: string;
  readonly file: FileEntry;
}

/** Larger files go in parts of at least this size. */
export const SMALL_BYTES_MAX = PART_BYTES_MIN;
const PUTS_AT_ONCE = 8;

export interface WriteFilesOptions {
  readonly source: FrameSource;
  readonly bucket: S3Bucket;
}

/** All of them stand when it returns. The small ones are held in memory together: keep them few. */
export const writeFiles = async (
  { source, bucket }: WriteFilesOptions,
  files: readonly FileToWrite[],
  signal: AbortSignal,
): Promise<void> => {
  const small = files.filter(({ file }) => file.size <= SMALL_BYTES_MAX);
  const contents = await readFiles(
    source,
    small.map(({ file }) => file),
    signal,
  );
  const rest = small.map((item, index) => ({ ...item, content: contents[index] }));
  const put = async (): Promise<void> => {
    for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
      const { key, file, content = Buffer.alloc(0) } = next;
      await bucket.put(key, content, notesOf(key, file), signal);
    }
  };
  await allEnded(Array.from({ length: PUTS_AT_ONCE }, put));
  for (const { key, file } of files.filter(({ file }) => file.size > SMALL_BYTES_MAX)) {
    const parts = inParts(readContent(source, file, signal), partBytesOf(file.size));
    await bucket.putParts(key, parts, notesOf(key, file), signal);
  }
};

const NS_PER_S = 1_000_000_000n;
const NS_DIGITS = 9;

/** `mtime` in seconds is what rclone and s3fs read and write themselves. */
const notesOf = (key: string, { mtimeNs }: FileEntry): ObjectNotes => {
  const ns = mtimeNs < 0n ? -mtimeNs : mtimeNs;
  const seconds = `${ns / NS_PER_S}.${String(ns % NS_PER_S).padStart(NS_DIGITS, "0")}`;
  return {
    contentType: mime.getType(key) ?? "application/octet-stream",
    metadata: { mtime: mtimeNs < 0n ? `-${seconds}` : seconds },
  };
};
