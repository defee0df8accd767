/**
 * Deletes from the inbox what a committed snapshot has: after a deploy, when nobody waits. By the
 * control, with the project's own key.
 */
import { type BucketObject, openS3Bucket, type S3Bucket } from "../../adapters/s3-bucket.ts";
import { keysOf } from "../../workflows/keys-of.ts";
import type { ProjectState } from "../../workflows/record.ts";
import type { ControlPorts } from "../control-ports.ts";
import { type Space, spaceCredentials } from "../spaces/space.ts";
import { inboxPrefix } from "../spaces/space-names.ts";
import { nameOf, readTaken } from "./taken.ts";

/** Resolves with how many went. Safe to run twice, or beside a deploy. */
export const deleteTaken = async (
  ports: Pick<ControlPorts, "store">,
  { project, volumes }: ProjectState,
  space: Space,
  signal: AbortSignal,
  open: typeof openS3Bucket = openS3Bucket,
): Promise<number> => {
  if (space.container === null) return 0;
  const bucket = open({ ...space, ...spaceCredentials(space) });
  let deleted = 0;
  try {
    for (const volume of keysOf(volumes)) {
      const epoch = volumes[volume]?.epoch;
      if (epoch === undefined) continue;
      const note = await readTaken(ports.store, project, volume, epoch, signal);
      const stored = new Set(note?.objects.filter(({ isStored }) => isStored).map(nameOf));
      if (stored.size === 0) continue;
      const there: BucketObject[] = [];
      for await (const object of bucket.list(inboxPrefix(volume), signal)) {
        if (stored.has(nameOf(object))) there.push(object);
      }
      for (const object of there) if (await deleteOne(bucket, object, signal)) deleted += 1;
    }
  } finally {
    bucket.close();
  }
  return deleted;
};

/** One that was overwritten just now is another object, and stays. */
const deleteOne = async (
  bucket: S3Bucket,
  object: BucketObject,
  signal: AbortSignal,
): Promise<boolean> => {
  const now = await bucket.head(object.key, signal);
  if (now?.etag !== object.etag) return false;
  await bucket.delete([object.key], signal);
  return true;
};
