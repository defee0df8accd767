/**
 * Deletes what no snapshot can ever need again. An object is garbage when no root reaches it and it was
 * written by an attempt that is over: then nothing will ever refer to it, so that a collector that was
 * paused for a day deletes nothing it should not. "It is there already" is never a reason to refer to
 * an object, and keys are never used twice: without these two rules this one would not be safe.
 */
import { TerminalError } from "./errors.ts";
import { parseObjectName } from "./keys.ts";
import type { ObjectStore } from "./object-store.ts";
import { readOutline } from "./snapshot.ts";

export interface CollectOptions {
  readonly store: ObjectStore;
  readonly prefix: string;
  /** Head, retained, pinned: what must stay, read from the record before the collection begins. */
  readonly roots: readonly string[];
  /** Objects of this epoch and later ones stay, but for those of attempts that are over. */
  readonly currentEpoch: number;
  /** Tells the attempts that the record lists as ended: nothing will refer to what they write. */
  readonly endedAttempts: Pick<ReadonlySet<string>, "has">;
  /** Only say what would be deleted. */
  readonly dryRun: boolean;
}

export interface CollectReport {
  readonly deletedObjects: number;
  readonly deletedBytes: number;
  readonly keptObjects: number;
  readonly keptBytes: number;
}

const DELETE_KEYS_MAX = 1_000;

/** Names, below the prefix, of every object that the snapshots need, and their own. */
export const reachableObjects = async (
  { store, prefix, roots }: Pick<CollectOptions, "store" | "prefix" | "roots">,
  signal: AbortSignal,
): Promise<Set<string>> => {
  const reachable = new Set<string>();
  for (const snapshotId of roots) {
    const snapshot = await readOutline({ store, prefix, snapshotId }, signal);
    if (snapshot === null) {
      // What it needed can't be told from garbage any more: nothing may be deleted.
      throw new TerminalError(`the retained snapshot ${snapshotId} is missing`, {
        code: "snapshot-missing",
        hint: "nothing was deleted; verify the volume",
      });
    }
    reachable.add(`snapshots/${snapshotId}`);
    for (const [name] of snapshot.objects) reachable.add(name);
  }
  return reachable;
};

/** Safe beside running deploys, and safe to run twice or to stop anywhere. */
export const collectGarbage = async (
  options: CollectOptions,
  signal: AbortSignal,
): Promise<CollectReport> => {
  const { store, prefix, dryRun } = options;
  const reachable = await reachableObjects(options, signal);
  const counts = { deletedObjects: 0, deletedBytes: 0, keptObjects: 0, keptBytes: 0 };
  let batch: string[] = [];
  const flush = async (): Promise<void> => {
    if (!dryRun && batch.length > 0) await store.delete(batch, signal);
    batch = [];
  };
  for await (const { key, bytes } of store.list(`${prefix}/`, signal)) {
    const name = key.slice(prefix.length + 1);
    if (reachable.has(name) || !(await isOver(name, options, signal))) {
      counts.keptObjects += 1;
      counts.keptBytes += bytes;
      continue;
    }
    counts.deletedObjects += 1;
    counts.deletedBytes += bytes;
    batch.push(key);
    if (batch.length >= DELETE_KEYS_MAX) await flush();
  }
  await flush();
  return counts;
};

const SNAPSHOT = /^snapshots\/(.+)$/;

/** Whether whoever wrote the object will never write again. Objects of unknown kind stay. */
const isOver = async (
  name: string,
  { store, prefix, currentEpoch, endedAttempts }: CollectOptions,
  signal: AbortSignal,
): Promise<boolean> => {
  const isEnded = ({ epoch, attempt }: { readonly epoch: number; readonly attempt: string }) =>
    epoch < currentEpoch || endedAttempts.has(attempt);
  const snapshotId = SNAPSHOT.exec(name)?.[1];
  if (snapshotId === undefined) {
    const parsed = parseObjectName(name);
    return parsed !== null && isEnded(parsed);
  }
  const snapshot = await readOutline({ store, prefix, snapshotId }, signal).catch(unreadable);
  return snapshot !== null && isEnded(snapshot);
};

/** A damaged snapshot that is no root stays for whoever looks into it; it is small. */
const unreadable = (error: unknown): null => {
  if (error instanceof TerminalError) return null;
  throw error;
};
