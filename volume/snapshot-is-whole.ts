/** The proof at the seal: the snapshot and every object it needs are in the store, at full size. */
import { objectKey } from "./keys.ts";
import { readOutline, type SnapshotPlace } from "./snapshot.ts";

const CHECKS_AT_ONCE = 8;

/**
 * True when every pack and segment of the snapshot stands with its size. Objects of `trusted`
 * snapshots (the parent, checked when it was sealed) are not asked for again.
 */
export const snapshotIsWhole = async (
  place: SnapshotPlace & { readonly trusted?: string | null },
  signal: AbortSignal,
): Promise<boolean> => {
  const snapshot = await readOutline(place, signal);
  if (snapshot === null) return false;
  const trusted = await readTrusted(place, signal);
  const needed = snapshot.objects.filter(([name]) => !trusted.has(name));
  let isWhole = true;
  const check = async (): Promise<void> => {
    for (let next = needed.pop(); next !== undefined && isWhole; next = needed.pop()) {
      const [name, bytes] = next;
      const found = await place.store.head(objectKey(place.prefix, name), signal);
      if (found?.bytes !== bytes) isWhole = false;
    }
  };
  await Promise.all(Array.from({ length: CHECKS_AT_ONCE }, check));
  return isWhole;
};

const readTrusted = async (
  place: SnapshotPlace & { readonly trusted?: string | null },
  signal: AbortSignal,
): Promise<Set<string>> => {
  const id = place.trusted ?? null;
  const snapshot = id === null ? null : await readOutline({ ...place, snapshotId: id }, signal);
  return new Set(snapshot?.objects.map(([name]) => name));
};
