/**
 * Takes what was staged of `inbox/<volume>/` into the volume, on the node that writes it, before its
 * container starts. Each file once: what was taken is noted before the container can change it, and
 * an object goes only when a committed snapshot has its content.
 */
import { access } from "node:fs/promises";
import { linkFile, syncPlaces, whyNoPath } from "../../adapters/place-file.ts";
import type { BucketObject, S3Bucket } from "../../adapters/s3-bucket.ts";
import { takenKey } from "../../adapters/store-keys.ts";
import { allEnded } from "../../volume/all-ended.ts";
import { TerminalError } from "../../volume/errors.ts";
import type { Epoch, ProjectId, VolumeName } from "../../workflows/ids.ts";
import { encodeJson } from "../json-object.ts";
import type { NodePorts } from "../node-ports.ts";
import { inboxPrefix } from "../spaces/space-names.ts";
import { stagedPath } from "./stage-inbox.ts";
import { nameOf, readTaken, type Taken, type TakenObject } from "./taken.ts";

export interface InboxRequest {
  readonly project: ProjectId;
  readonly volume: VolumeName;
  readonly epoch: Epoch;
  /** The epoch whose data the directory began from; null: it began empty. */
  readonly base: Epoch | null;
  readonly directory: string;
  readonly bucket: S3Bucket;
}

type TakePorts = Pick<NodePorts, "store" | "log" | "disk">;

/** Clients wait meanwhile: what does not fit stays for the next deploy. */
const TAKE_MS_MAX = 10_000;
const LINKED_AT_ONCE = 4;

/** Notes what it took, also when it was cut short; the inbox is never a reason to fail a deploy. */
export const takeInbox = async (
  ports: TakePorts,
  request: InboxRequest,
  signal: AbortSignal,
): Promise<Taken> => {
  const { project, volume, epoch, base } = request;
  const before = await readTaken(ports.store, project, volume, base, signal);
  const taken: Taken = { objects: [], refused: [] };
  const placed: BucketObject[] = [];
  let left = 0;
  const had = new Set(before?.objects.map(nameOf));
  const place = async (object: BucketObject): Promise<void> => {
    // Until it is gone from the inbox it must be known that the data have it.
    if (had.has(nameOf(object))) {
      taken.objects.push(note(object, true));
      return;
    }
    const outcome = await placeOne(ports, request, object);
    if (outcome === "placed") placed.push(object);
    else if (outcome === "not staged") left += 1;
    else taken.refused.push({ key: object.key, reason: outcome.reason });
  };
  try {
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(TAKE_MS_MAX)]);
    await forEach(request.bucket.list(inboxPrefix(volume), bounded), place, bounded);
  } catch (error) {
    signal.throwIfAborted();
    ports.log.warn({ project, volume, err: error }, "inbox.not-taken");
  }
  await syncPlaces(
    request.directory,
    placed.map(({ key }) => pathOf(volume, key)),
  );
  taken.objects.push(...placed.map((object) => note(object, false)));
  await ports.store.put(takenKey(project, volume, epoch), encodeJson(taken), {}, signal);
  if (taken.objects.length + taken.refused.length + left > 0) {
    const counts = { taken: placed.length, left };
    ports.log.info({ project, volume, ...counts, refused: taken.refused }, "inbox.taken");
  }
  return taken;
};

/** On a deploy's way back nothing is taken; what the data have is still known. */
export const carryNote = async (
  ports: TakePorts,
  { project, volume, epoch, base }: Omit<InboxRequest, "directory" | "bucket">,
  signal: AbortSignal,
): Promise<void> => {
  const before = await readTaken(ports.store, project, volume, base, signal);
  if (before === null) return;
  const objects = before.objects.map((object) => ({ ...object, isStored: true }));
  const carried: Taken = { objects, refused: [] };
  await ports.store.put(takenKey(project, volume, epoch), encodeJson(carried), {}, signal);
};

const placeOne = async (
  { disk }: TakePorts,
  { project, volume, directory }: InboxRequest,
  object: BucketObject,
): Promise<"placed" | "not staged" | { readonly reason: string }> => {
  const path = pathOf(volume, object.key);
  const reason = whyNoPath(path);
  if (reason !== null) return { reason };
  const from = stagedPath(disk.inboxPath(project, volume), object);
  if (!(await exists(from))) return "not staged";
  try {
    await linkFile(directory, { path, from });
    return "placed";
  } catch (error) {
    if (!(error instanceof TerminalError) || error.code !== "path-blocked") throw error;
    return { reason: String(error.data["reason"]) };
  }
};

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

const forEach = async (
  objects: AsyncIterable<BucketObject>,
  work: (object: BucketObject) => Promise<void>,
  signal: AbortSignal,
): Promise<void> => {
  // One listing is read by all workers: its next() calls queue up.
  const all = objects[Symbol.asyncIterator]();
  const run = async (): Promise<void> => {
    for (;;) {
      signal.throwIfAborted();
      const next = await all.next();
      if (next.done === true) return;
      // A directory, as some clients show one.
      if (!next.value.key.endsWith("/")) await work(next.value);
    }
  };
  await allEnded(Array.from({ length: LINKED_AT_ONCE }, run));
};

const pathOf = (volume: VolumeName, key: string): string => key.slice(inboxPrefix(volume).length);

const note = ({ key, etag, modifiedAtMs }: BucketObject, isStored: boolean): TakenObject => ({
  key,
  etag,
  modifiedAtMs,
  isStored,
});
