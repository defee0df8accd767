/** Which restore points stay. Pure: the snapshots and the policy come in. */
import type { KeepPolicy } from "../container-spec.ts";
import { SNAPSHOTS_KEPT_DEFAULT, SNAPSHOTS_KEPT_MAX } from "../deploy/limits.ts";
import type { SnapshotId } from "../ids.ts";
import type { SnapshotRef } from "../record.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** 1 January 1970 was a Thursday; weeks here begin on Monday. */
const EPOCH_WEEKDAY_MS = 3 * DAY_MS;

const BUCKETS = {
  hourly: (atMs: number) => Math.floor(atMs / HOUR_MS),
  daily: (atMs: number) => Math.floor(atMs / DAY_MS),
  weekly: (atMs: number) => Math.floor((atMs + EPOCH_WEEKDAY_MS) / (7 * DAY_MS)),
  monthly: (atMs: number) => monthOf(atMs),
} as const;

export interface Choice {
  /** Oldest first. */
  readonly kept: SnapshotRef[];
  readonly dropped: SnapshotRef[];
}

/**
 * Keeps the newest snapshot of each of the newest N hours, days, weeks and months (UTC) that have
 * one, the newest `last` ones, and always what is pinned (the head, a restore under way).
 */
export const chooseSnapshots = (
  snapshots: readonly SnapshotRef[],
  policy: KeepPolicy | undefined,
  pinned: readonly SnapshotId[],
): Choice => {
  const newestFirst = [...snapshots].sort(
    (a, b) => b.takenAtMs - a.takenAtMs || (a.id < b.id ? 1 : -1),
  );
  const last = policy === undefined ? SNAPSHOTS_KEPT_DEFAULT : policy.last;
  const keep = new Set(newestFirst.slice(0, last).map(({ id }) => id));
  for (const kind of ["hourly", "daily", "weekly", "monthly"] as const) {
    const seen = new Set<number>();
    for (const { id, takenAtMs } of newestFirst) {
      const bucket = BUCKETS[kind](takenAtMs);
      if (seen.size >= (policy?.[kind] ?? 0)) break;
      if (!seen.has(bucket)) keep.add(id);
      seen.add(bucket);
    }
  }
  const bounded = newestFirst.filter(({ id }) => keep.has(id)).slice(0, SNAPSHOTS_KEPT_MAX);
  const kept = snapshots.filter((s) => bounded.includes(s) || pinned.includes(s.id));
  return { kept, dropped: snapshots.filter((s) => !kept.includes(s)) };
};

/** Months since January 1970 by the civil calendar (UTC), without a clock's Date. */
const monthOf = (atMs: number): number => {
  const days = Math.floor(atMs / DAY_MS) + 719_468;
  const era = Math.floor(days / 146_097);
  const dayOfEra = days - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1_460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  return (yearOfEra + era * 400 - 1970) * 12 + marchMonth + 2;
};
