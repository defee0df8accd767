/**
 * Objects from one prefix to another, such as a volume's inbox: read and written, because a copy within
 * the store would need one key that may do both, and older gateways have lost data by it.
 */
import mime from "mime";
import type { BucketObject, S3Bucket } from "../../adapters/s3-bucket.ts";
import { allEnded } from "../../volume/all-ended.ts";
import { TerminalError } from "../../volume/errors.ts";
import { inParts, PART_BYTES_MIN, partBytesOf } from "./in-parts.ts";

export interface CopyObjectsRequest {
  readonly from: S3Bucket;
  readonly fromPrefix: string;
  readonly to: S3Bucket;
  readonly toPrefix: string;
  readonly onProgress: (progress: { readonly files: number; readonly bytes: number }) => void;
}

const COPIED_AT_ONCE = 8;
const S_PER_MS = 1_000;

/** Keeps the times. Throws where there is nothing: a prefix that was mistyped looks like that. */
export const copyObjects = async (
  request: CopyObjectsRequest,
  signal: AbortSignal,
): Promise<{ readonly files: number; readonly bytes: number; readonly skipped: number }> => {
  const { from, fromPrefix, onProgress } = request;
  const objects = from.list(fromPrefix, signal)[Symbol.asyncIterator]();
  let [files, bytes, skipped] = [0, 0, 0];
  // One listing is read by all workers: its next() calls queue up.
  const work = async (): Promise<void> => {
    for (let next = await objects.next(); next.done !== true; next = await objects.next()) {
      const isCopied =
        !next.value.key.endsWith("/") && (await copyOne(request, next.value, signal));
      if (!isCopied) {
        skipped += 1;
        continue;
      }
      files += 1;
      bytes += next.value.bytes;
      onProgress({ files, bytes });
    }
  };
  await allEnded(Array.from({ length: COPIED_AT_ONCE }, work));
  if (files > 0) return { files, bytes, skipped };
  throw new TerminalError(`s3://${from.name}/${fromPrefix} has no objects`, {
    code: "usage",
    hint: "check the bucket and the prefix: its folders and case must be as they stand there",
  });
};

/** False: it was deleted since it was listed. */
const copyOne = async (
  { from, fromPrefix, to, toPrefix }: CopyObjectsRequest,
  object: BucketObject,
  signal: AbortSignal,
): Promise<boolean> => {
  const opened = await from.open(object.key, signal);
  if (opened === null) return false;
  const key = `${toPrefix}${object.key.slice(fromPrefix.length)}`;
  const mtime = opened.metadata["mtime"] ?? String(object.modifiedAtMs / S_PER_MS);
  const contentType = mime.getType(key) ?? "application/octet-stream";
  const notes = { contentType, metadata: { mtime } };
  const parts = inParts(opened.body, partBytesOf(object.bytes));
  if (object.bytes > PART_BYTES_MIN) {
    await to.putParts(key, parts, notes, signal);
    return true;
  }
  const pieces: Buffer[] = [];
  for await (const piece of parts) pieces.push(piece);
  await to.put(key, Buffer.concat(pieces), notes, signal);
  return true;
};
