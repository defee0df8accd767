/**
 * Makes a snapshot of one volume the first snapshot of another, by one small object: everything below it
 * is referred to where it stands. The source's snapshot must stay for as long as the clone, or any
 * snapshot taken on top of it, refers to it: that is the caller's business, and comes first.
 */
import { foreignName, snapshotKey } from "./keys.ts";
import { requireSnapshot } from "./list-entries.ts";
import type { ObjectStore } from "./object-store.ts";
import { currentKey, NO_KEYS } from "./sealing.ts";
import {
  chooseFormat,
  encodeSnapshot,
  SNAPSHOT_FORMATS,
  type Snapshot,
  type SnapshotPlace,
} from "./snapshot.ts";

/** Older than every epoch that a volume can have: abandoned, it is garbage at once. */
const CLONE_EPOCH = 0;
const CLONE_ATTEMPT = "clone";

export interface CloneTarget {
  readonly store: ObjectStore;
  readonly prefix: string;
  readonly snapshotId: string;
}

/** Safe to repeat: the same source and target give an object that means the same. */
export const cloneSnapshot = async (
  source: SnapshotPlace,
  target: CloneTarget,
  signal: AbortSignal,
): Promise<Snapshot> => {
  const { segments, packs, format, ...rest } = await requireSnapshot(source, signal);
  const objects = {
    segments: segments.map(([name, ...row]): Snapshot["segments"][number] => [
      foreignName(source.prefix, name),
      ...row,
    ]),
    packs: packs.map(([name, bytes]): Snapshot["packs"][number] => [
      foreignName(source.prefix, name),
      bytes,
    ]),
  };
  const isSealed = format === SNAPSHOT_FORMATS.sealed;
  // Of a volume whose sealing was ended too: what the clone refers to is sealed.
  const { keys = NO_KEYS } = source;
  const key = isSealed ? (currentKey(keys) ?? keys.keys[0] ?? null) : null;
  const clone: Snapshot = {
    ...rest,
    ...objects,
    format: chooseFormat(objects, key),
    id: target.snapshotId,
    epoch: CLONE_EPOCH,
    attempt: CLONE_ATTEMPT,
    parent: null,
  };
  const sealing = key === null ? undefined : { prefix: target.prefix, key };
  const body = await encodeSnapshot(clone, sealing);
  await target.store.put(snapshotKey(target.prefix, clone.id), body, { ifAbsent: true }, signal);
  return clone;
};
