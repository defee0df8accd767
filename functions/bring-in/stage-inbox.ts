/**
 * Fetches what is in a volume's inbox to a place beside the volume, while the container still runs: what
 * is left to do when it has stopped is to give the files their names.
 */
import { constants, createWriteStream, existsSync } from "node:fs";
import { lstat, mkdir, open, readdir, rename, rm, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { whyNoPath } from "../../adapters/place-file.ts";
import type { BucketObject, S3Bucket } from "../../adapters/s3-bucket.ts";
import { allEnded } from "../../volume/all-ended.ts";
import { sha256 } from "../../volume/digest.ts";
import type { Epoch, ProjectId, VolumeName } from "../../workflows/ids.ts";
import type { NodePorts, OnVolumeProgress } from "../node-ports.ts";
import { inboxPrefix } from "../spaces/space-names.ts";
import { DISK_RESERVE_BYTES } from "../volume-copies.ts";
import { mtimeOf } from "./place-objects.ts";
import { nameOf, readTaken } from "./taken.ts";

export interface StageInboxRequest {
  readonly project: ProjectId;
  readonly volume: VolumeName;
  /** The epoch that writes the volume now: what it took is not fetched again. */
  readonly epoch: Epoch | null;
  readonly bucket: S3Bucket;
  readonly onProgress: OnVolumeProgress;
}

type StagePorts = Pick<NodePorts, "store" | "log" | "disk">;

/** A deploy may wait so long for its inbox; the rest is for the next one, and is there already. */
const STAGE_MS_MAX = 600_000;
const FETCHED_AT_ONCE = 4;
const PRIVATE_MODE = 0o700;

/** Where the object's content stands once it was fetched; another version of it has another place. */
export const stagedPath = (inbox: string, object: BucketObject): string =>
  join(inbox, sha256(nameOf(object)));

/** Idempotent. The inbox is never a reason to fail a deploy: what can't be fetched is told and left. */
export const stageInbox = async (
  ports: StagePorts,
  request: StageInboxRequest,
  signal: AbortSignal,
): Promise<void> => {
  const { project, volume } = request;
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(STAGE_MS_MAX)]);
  try {
    const objects = await findWanted(ports, request, bounded);
    const inbox = ports.disk.inboxPath(project, volume);
    await rm(retiredPath(inbox), { recursive: true, force: true });
    const missing = await tidy(inbox, objects);
    await fetchAll(ports, request, missing, bounded);
    const counts = { objects: objects.length, fetched: missing.length };
    if (objects.length > 0) ports.log.info({ project, volume, ...counts }, "inbox.staged");
  } catch (error) {
    signal.throwIfAborted();
    ports.log.warn({ project, volume, err: error }, "inbox.not-staged");
  }
};

/** Those that have a name within the volume and are not in its data yet. */
const findWanted = async (
  ports: StagePorts,
  { project, volume, epoch, bucket }: StageInboxRequest,
  signal: AbortSignal,
): Promise<BucketObject[]> => {
  const note = await readTaken(ports.store, project, volume, epoch, signal);
  const had = new Set(note?.objects.map(nameOf));
  const prefix = inboxPrefix(volume);
  const wanted: BucketObject[] = [];
  for await (const object of bucket.list(prefix, signal)) {
    if (object.key.endsWith("/") || had.has(nameOf(object))) continue;
    if (whyNoPath(object.key.slice(prefix.length)) === null) wanted.push(object);
  }
  return wanted;
};

/** Removes what is wanted no more; resolves with what is not there yet. */
const tidy = async (inbox: string, objects: readonly BucketObject[]): Promise<BucketObject[]> => {
  const there = await readdir(inbox).catch(ifAbsent);
  const wanted = new Map(objects.map((object) => [stagedPath(inbox, object), object]));
  for (const name of there) {
    const path = join(inbox, name);
    if (!wanted.delete(path)) await rm(path, { force: true });
  }
  return [...wanted.values()];
};

const fetchAll = async (
  ports: StagePorts,
  { project, volume, bucket, onProgress }: StageInboxRequest,
  missing: readonly BucketObject[],
  signal: AbortSignal,
): Promise<void> => {
  if (missing.length === 0) return;
  const inbox = ports.disk.inboxPath(project, volume);
  await mkdir(inbox, { recursive: true, mode: PRIVATE_MODE });
  const totalBytes = missing.reduce((sum, { bytes }) => sum + bytes, 0);
  let doneBytes = 0;
  const rest = [...missing];
  const work = async (): Promise<void> => {
    for (let object = rest.shift(); object !== undefined; object = rest.shift()) {
      if (object.bytes + DISK_RESERVE_BYTES > (await ports.disk.freeBytes())) {
        ports.log.warn({ project, volume, key: object.key }, "inbox.no-room");
        continue;
      }
      await fetchOne(bucket, object, stagedPath(inbox, object), signal);
      doneBytes += object.bytes;
      onProgress({ doneBytes, totalBytes, transferredBytes: doneBytes });
    }
  };
  await allEnded(Array.from({ length: FETCHED_AT_ONCE }, work));
  await syncDirectory(inbox);
};

/** Under its name it is whole and on the disk. */
const fetchOne = async (
  bucket: S3Bucket,
  object: BucketObject,
  path: string,
  signal: AbortSignal,
): Promise<void> => {
  const opened = await bucket.open(object.key, signal);
  // Deleted since it was listed.
  if (opened === null) return;
  const draft = `${path}.part`;
  await pipeline(opened.body, createWriteStream(draft, { mode: 0o600, flush: true }), { signal });
  const seconds = (mtimeOf(opened.metadata) ?? object.modifiedAtMs) / 1_000;
  await utimes(draft, seconds, seconds);
  const { size } = await lstat(draft);
  // Overwritten since it was listed: another object, which is listed the next time.
  if (size === object.bytes) await rename(draft, path);
  else await rm(draft, { force: true });
};

/**
 * What was staged is nothing's any more, before a container can write into files that have a second
 * name there. Removing them takes time that nobody has now: they are only put out of the way.
 */
export const retireInbox = async (inbox: string): Promise<void> => {
  await rm(retiredPath(inbox), { recursive: true, force: true });
  try {
    await rename(inbox, retiredPath(inbox));
  } catch (error) {
    ifAbsent(error as NodeJS.ErrnoException);
    return;
  }
  await syncDirectory(dirname(inbox));
};

/** Whether something is left of it, staged or put out of the way. */
export const hasInbox = (inbox: string): boolean =>
  existsSync(inbox) || existsSync(retiredPath(inbox));

export const dropRetiredInbox = (inbox: string): Promise<void> =>
  rm(retiredPath(inbox), { recursive: true, force: true });

const retiredPath = (inbox: string): string => `${inbox}.retired`;

const syncDirectory = async (path: string): Promise<void> => {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  await directory.sync().finally(() => directory.close());
};

const ifAbsent = (error: NodeJS.ErrnoException): string[] => {
  if (error.code === "ENOENT") return [];
  throw error;
};
