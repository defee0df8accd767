/**
 * Takes what users put into `inbox/<volume>/` into the volume, on the node that writes it, before its
 * container starts. Each file once: what was taken is noted before the container can change it, and
 * an object goes only when a committed snapshot has its content.
 */
import * as z from "zod";
import type { BucketObject, S3Bucket } from "../../adapters/s3-bucket.ts";
import { takenKey } from "../../adapters/store-keys.ts";
import type { Epoch, ProjectId, VolumeName } from "../../workflows/ids.ts";
import { encodeJson, readJsonObject } from "../json-object.ts";
import type { NodePorts } from "../node-ports.ts";
import { inboxPrefix } from "../spaces/space-names.ts";
import { placeObjects } from "./place-objects.ts";

const TakenObject = z.strictObject({ key: z.string(), etag: z.string(), modifiedAtMs: z.int() });
export const Taken = z.strictObject({
  objects: z.array(TakenObject),
  refused: z.array(z.strictObject({ key: z.string(), reason: z.string() })),
});
export type Taken = z.infer<typeof Taken>;

export interface InboxRequest {
  readonly project: ProjectId;
  readonly volume: VolumeName;
  readonly epoch: Epoch;
  /** The epoch whose data the directory began from; null: it began empty. */
  readonly base: Epoch | null;
  readonly directory: string;
  readonly bucket: S3Bucket;
}

/** Clients wait meanwhile: what does not fit stays for the next deploy. */
const TAKE_MS_MAX = 30_000;

/** Notes what it took, also when it was cut short; the inbox is never a reason to fail a deploy. */
export const takeInbox = async (
  ports: Pick<NodePorts, "store" | "log" | "disk">,
  request: InboxRequest,
  signal: AbortSignal,
): Promise<Taken> => {
  const { project, volume, epoch, base, directory, bucket } = request;
  const before =
    base === null
      ? null
      : await readJsonObject(ports.store, takenKey(project, volume, base), Taken, signal);
  const had = new Map(before?.objects.map((object) => [nameOf(object), object]));
  const taken: Taken = { objects: [], refused: [] };
  const done: BucketObject[] = [];
  const isKnown = (object: BucketObject): boolean => {
    if (!had.has(nameOf(object))) return false;
    // Until it is gone from the inbox it must be known that the data have it.
    taken.objects.push(note(object));
    done.push(object);
    return true;
  };
  const prefix = inboxPrefix(volume);
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(TAKE_MS_MAX)]);
  await placeObjects(
    {
      bucket,
      prefix,
      directory,
      freeBytes: () => ports.disk.freeBytes(),
      isKnown,
      onPlaced: (object) => taken.objects.push(note(object)),
      onRefused: ({ key }, reason) => taken.refused.push({ key, reason }),
    },
    bounded,
  )
    .then(() => deleteDone(bucket, done, bounded))
    .catch((error: unknown) => {
      signal.throwIfAborted();
      ports.log.warn({ project, volume, err: error }, "inbox.not-taken");
    });
  await ports.store.put(takenKey(project, volume, epoch), encodeJson(taken), {}, signal);
  if (taken.objects.length + taken.refused.length > 0) {
    const counts = { taken: taken.objects.length - done.length, deleted: done.length };
    ports.log.info({ project, volume, ...counts, refused: taken.refused }, "inbox.taken");
  }
  return taken;
};

/** The head has them. One that was overwritten just now is another object, and stays. */
const deleteDone = async (
  bucket: S3Bucket,
  done: readonly BucketObject[],
  signal: AbortSignal,
): Promise<void> => {
  for (const object of done) {
    const now = await bucket.head(object.key, signal);
    if (now?.etag === object.etag) await bucket.delete([object.key], signal);
  }
};

const note = ({ key, etag, modifiedAtMs }: BucketObject) => ({ key, etag, modifiedAtMs });

const nameOf = ({ key, etag, modifiedAtMs }: z.infer<typeof TakenObject>): string =>
  JSON.stringify([key, etag, modifiedAtMs]);
