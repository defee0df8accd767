/**
 * Deletes what no snapshot can ever need again, by the rule in is-garbage.ts. First all that the roots
 * need is read, then everything is listed: neither has to be of one moment, for garbage stays garbage.
 */
import { TerminalError } from "./errors.ts";
import { type GarbageRule, isGarbage, type Writer } from "./is-garbage.ts";
import { parseObjectName } from "./keys.ts";
import type { ObjectStore } from "./object-store.ts";
import { readOutline } from "./snapshot.ts";

export interface CollectOptions extends GarbageRule {
  readonly store: ObjectStore;
  readonly prefix: string;
  /** Head, retained, pinned: what must stay, read from the record before the collection begins. */
  readonly roots: readonly string[];
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
    const isReachable = reachable.has(name);
    const writer = isReachable ? null : await readWriter(name, options, signal);
    if (!isGarbage({ isReachable, writer }, options)) {
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

/** Null for objects of unknown kind. */
const readWriter = async (
  name: string,
  { store, prefix }: Pick<CollectOptions, "store" | "prefix">,
  signal: AbortSignal,
): Promise<Writer | null> => {
  const snapshotId = SNAPSHOT.exec(name)?.[1];
  if (snapshotId === undefined) return parseObjectName(name);
  return readOutline({ store, prefix, snapshotId }, signal).catch(unreadable);
};

/** A damaged snapshot that is no root stays for whoever looks into it; it is small. */
const unreadable = (error: unknown): null => {
  if (error instanceof TerminalError) return null;
  throw error;
};
