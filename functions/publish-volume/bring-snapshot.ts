/** The work of one publish: from the snapshot that is in the bucket to the one that shall be. */
import type { S3Bucket } from "../../adapters/s3-bucket.ts";
import { publicationKey, volumePrefix } from "../../adapters/store-keys.ts";
import { comparePaths } from "../../volume/entry.ts";
import { TerminalError } from "../../volume/errors.ts";
import { diffSnapshots, type EntryDifference, listEntries } from "../../volume/list-entries.ts";
import type { DataKeys } from "../../volume/sealing.ts";
import { readSnapshot, type SnapshotPlace } from "../../volume/snapshot.ts";
import type { SnapshotId } from "../../workflows/ids.ts";
import { encodeJson, readJsonObject } from "../json-object.ts";
import { leftOutKey, markerKey, publishedPrefix } from "../spaces/space-names.ts";
import { deletePrefix } from "./delete-prefix.ts";
import { type Change, findChange } from "./find-changes.ts";
import {
  closeNotes,
  describeLeftOut,
  openNotes,
  PublicationNotes,
  type WorkingNotes,
} from "./publication-notes.ts";
import type { PublishPorts, Turn } from "./publish-turn.ts";
import { publishedKey } from "./published-key.ts";
import { type FileToWrite, SMALL_BYTES_MAX, writeFiles } from "./write-files.ts";

export interface BringRequest {
  readonly ports: PublishPorts;
  readonly bucket: S3Bucket;
  readonly turn: Turn;
  readonly target: SnapshotId;
  readonly base: SnapshotId | null;
  readonly generation: number;
  readonly keys: DataKeys;
}

export interface PublishCounts {
  readonly written: number;
  readonly deleted: number;
}

/** What is gathered before it is written: bounded in number and in bytes of small files. */
const BATCH_FILES_MAX = 200;
const BATCH_BYTES_MAX = 2 * SMALL_BYTES_MAX;
/** Work that is done again after a break. */
const NOTE_EVERY_MS = 5_000;

interface Work extends BringRequest {
  readonly prefix: string;
  readonly source: Omit<SnapshotPlace, "snapshotId">;
  readonly notes: WorkingNotes;
  readonly counts: { written: number; deleted: number };
}

export const bringSnapshot = async (
  request: BringRequest,
  signal: AbortSignal,
): Promise<PublishCounts> => {
  const { bucket, turn, target, ports, generation } = request;
  const { project, volume } = turn;
  const source = { store: ports.store, prefix: volumePrefix(project, volume), keys: request.keys };
  const key = publicationKey(project, volume);
  const stored = await readJsonObject(ports.store, key, PublicationNotes, signal);
  const known = stored?.generation === generation ? stored : null;
  const isResumed = known !== null && !known.isDone && known.target === target;
  const base = isResumed || known?.target === request.base ? request.base : null;
  const before = await findBase({ ...source, snapshotId: base }, signal);
  const notes = openNotes(isResumed || before !== null ? known : null);
  if (!isResumed) notes.donePath = null;
  const counts = { written: 0, deleted: 0 };
  const work = { ...request, prefix: publishedPrefix(volume), source, notes, counts };
  if (before === null && !isResumed) {
    counts.deleted += await deletePrefix(bucket, work.prefix, turn, signal);
  }
  const leftOutBefore = JSON.stringify([...notes.leftOut]);
  await putNote(bucket, markerKey(volume), { snapshot: base, publishing: target }, signal);
  await bringChanges(work, before, signal);
  await bringLinks(work, signal);
  if (before === null || isResumed || leftOutBefore !== JSON.stringify([...notes.leftOut])) {
    await putNote(bucket, leftOutKey(volume), describeLeftOut(notes.leftOut), signal);
  }
  await saveNotes(work, true, signal);
  await putNote(bucket, markerKey(volume), { snapshot: target, publishing: null }, signal);
  return counts;
};

/** Null where there is none, or none any more: then everything is written anew. */
const findBase = async (
  { snapshotId, ...source }: Omit<SnapshotPlace, "snapshotId"> & { snapshotId: SnapshotId | null },
  signal: AbortSignal,
): Promise<SnapshotPlace | null> => {
  if (snapshotId === null) return null;
  const place = { ...source, snapshotId };
  const found = await readSnapshot(place, signal).catch((error: unknown) => {
    if (error instanceof TerminalError) return null;
    throw error;
  });
  return found === null ? null : place;
};

const bringChanges = async (
  work: Work,
  before: SnapshotPlace | null,
  signal: AbortSignal,
): Promise<void> => {
  const after = { ...work.source, snapshotId: work.target };
  const batch = openBatch(work);
  for await (const difference of diffSnapshots(before, after, signal)) {
    const { donePath } = work.notes;
    if (donePath !== null && comparePaths(difference.path, donePath) <= 0) continue;
    batch.add(difference, findChange(work.prefix, difference));
    if (batch.isFull()) await batch.flush(signal);
  }
  await batch.flush(signal);
};

const openBatch = (work: Work) => {
  const { ports, turn, bucket, notes, counts } = work;
  let puts: FileToWrite[] = [];
  let deletes: string[] = [];
  let bytes = 0;
  let last: Buffer | null = null;
  let notedAtMs = ports.nowMs();
  return {
    add: ({ path }: EntryDifference, change: Change): void => {
      noteChange(notes, path, change);
      if (change.put !== null) puts.push(change.put);
      if (change.deleteKey !== null) deletes.push(change.deleteKey);
      bytes += Math.min(change.put?.file.size ?? 0, SMALL_BYTES_MAX);
      last = path;
    },
    isFull: () => puts.length + deletes.length >= BATCH_FILES_MAX || bytes >= BATCH_BYTES_MAX,
    flush: async (signal: AbortSignal): Promise<void> => {
      await writeFiles({ source: work.source, bucket }, puts, signal);
      if (deletes.length > 0) await bucket.delete(deletes, signal);
      counts.written += puts.length;
      counts.deleted += deletes.length;
      [puts, deletes, bytes] = [[], [], 0];
      notes.donePath = last ?? notes.donePath;
      await turn.renew(signal);
      if (ports.nowMs() - notedAtMs < NOTE_EVERY_MS) return;
      notedAtMs = ports.nowMs();
      await saveNotes(work, false, signal);
    },
  };
};

/** Keeps the lists of links and of what is left out as they are in the new tree. */
const noteChange = (notes: WorkingNotes, path: Buffer, change: Change): void => {
  const name = path.toString("base64");
  if (change.leftOut === null) notes.leftOut.delete(name);
  else notes.leftOut.set(name, change.leftOut);
  notes.links.delete(name);
  notes.pendingLinks.delete(name);
  if (change.link !== null) {
    notes.links.set(name, change.link.toString("base64"));
    notes.pendingLinks.add(name);
  }
  if (!change.isNewContent) return;
  for (const [link, target] of notes.links) if (target === name) notes.pendingLinks.add(link);
};

/** Further names of files: each becomes an object of its own. Most volumes have none. */
const bringLinks = async (work: Work, signal: AbortSignal): Promise<void> => {
  const { notes, bucket, turn, counts } = work;
  if (notes.pendingLinks.size === 0) return;
  const wanted = new Map<string, string[]>();
  for (const link of notes.pendingLinks) {
    const target = notes.links.get(link);
    if (target !== undefined) wanted.set(target, [...(wanted.get(target) ?? []), link]);
  }
  const place = { ...work.source, snapshotId: work.target };
  for await (const entry of listEntries(place, signal)) {
    const links = wanted.get(entry.path.toString("base64"));
    if (links === undefined || entry.type !== "file") continue;
    for (const link of links) {
      const name = publishedKey(work.prefix, Buffer.from(link, "base64"));
      if (name.kind !== "key") continue;
      await writeFiles({ source: work.source, bucket }, [{ key: name.key, file: entry }], signal);
      counts.written += 1;
      notes.pendingLinks.delete(link);
    }
    await turn.renew(signal);
  }
  notes.pendingLinks.clear();
};

const saveNotes = async (work: Work, isDone: boolean, signal: AbortSignal): Promise<void> => {
  const { target, generation, turn } = work;
  const { project, volume } = turn;
  const notes = closeNotes({ target, generation }, work.notes, isDone);
  await work.ports.store.put(publicationKey(project, volume), encodeJson(notes), {}, signal);
};

const putNote = (
  bucket: S3Bucket,
  key: string,
  value: unknown,
  signal: AbortSignal,
): Promise<void> =>
  bucket.put(key, encodeJson(value), { contentType: "application/json", metadata: {} }, signal);
