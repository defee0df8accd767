/** Objects below a prefix → files in a directory: the way of a first content. */
import { addAbortSignal } from "node:stream";
import { placeFile, whyNoPath } from "../../adapters/place-file.ts";
import type { BucketObject, S3Bucket } from "../../adapters/s3-bucket.ts";
import { allEnded } from "../../volume/all-ended.ts";
import { TerminalError } from "../../volume/errors.ts";
import { DISK_RESERVE_BYTES } from "../volume-copies.ts";

export interface PlaceRequest {
  readonly bucket: S3Bucket;
  readonly prefix: string;
  readonly directory: string;
  readonly freeBytes: () => Promise<number>;
  readonly onPlaced?: (object: BucketObject) => void;
  readonly onRefused: (object: BucketObject, reason: string) => void;
}

const PLACED_AT_ONCE = 4;
const S_PER_MS = 1_000;

/** Every object is placed, known or refused when it returns; each file is whole whenever it stops. */
export const placeObjects = async (request: PlaceRequest, signal: AbortSignal): Promise<void> => {
  const { bucket, prefix } = request;
  const objects = bucket.list(prefix, signal)[Symbol.asyncIterator]();
  // One listing is read by all workers: its next() calls queue up.
  const work = async (): Promise<void> => {
    for (;;) {
      const next = await objects.next();
      if (next.done === true) return;
      // A directory, as some clients show one.
      if (next.value.key.endsWith("/")) continue;
      await placeOne(request, next.value, signal);
    }
  };
  await allEnded(Array.from({ length: PLACED_AT_ONCE }, work));
};

const placeOne = async (
  { bucket, prefix, directory, freeBytes, onPlaced, onRefused }: PlaceRequest,
  object: BucketObject,
  signal: AbortSignal,
): Promise<void> => {
  const path = object.key.slice(prefix.length);
  const reason = whyNoPath(path);
  if (reason !== null) return onRefused(object, reason);
  if (object.bytes + DISK_RESERVE_BYTES > (await freeBytes())) {
    return onRefused(object, "there is no room for it on the node");
  }
  const opened = await bucket.open(object.key, signal);
  // Deleted since it was listed.
  if (opened === null) return;
  addAbortSignal(signal, opened.body);
  const mtimeMs = mtimeOf(opened.metadata) ?? object.modifiedAtMs;
  try {
    await placeFile(directory, { path, body: opened.body, mtimeMs });
    onPlaced?.(object);
  } catch (error) {
    opened.body.destroy();
    if (!(error instanceof TerminalError) || error.code !== "path-blocked") throw error;
    onRefused(object, String(error.data["reason"]));
  }
};

/** As rclone and s3fs write it. */
export const mtimeOf = ({ mtime }: Readonly<Record<string, string>>): number | null => {
  const seconds = Number(mtime);
  return mtime === undefined || !Number.isFinite(seconds) ? null : seconds * S_PER_MS;
};
