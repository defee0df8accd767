import fc from "fast-check";
import { expect, test } from "vitest";
import { Epoch, SnapshotId } from "../ids.ts";
import type { SnapshotRef } from "../record.ts";
import { chooseSnapshots } from "./choose-snapshots.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const NONE = { last: 0, hourly: 0, daily: 0, weekly: 0, monthly: 0 };

const at = (takenAtMs: number): SnapshotRef => ({
  id: SnapshotId.parse(`snapshot-${takenAtMs}`),
  epoch: Epoch.parse(1),
  takenAtMs,
  digest: "",
  files: 0,
  bytes: 0,
  storedBytes: 0,
  kind: "final",
  stopped: "clean",
  deployId: null,
});
const times = (snapshots: readonly SnapshotRef[]) => snapshots.map(({ takenAtMs }) => takenAtMs);
const utc = (text: string) => Date.parse(`${text}Z`);

test("keeps the newest `last`, oldest first", () => {
  const snapshots = [1, 2, 3, 4].map(at);
  const { kept, dropped } = chooseSnapshots(snapshots, { ...NONE, last: 2 }, []);
  expect(times(kept)).toEqual([3, 4]);
  expect(times(dropped)).toEqual([1, 2]);
});

test("keeps the newest snapshot of each of the newest days that have one", () => {
  const snapshots = [0, 1, DAY_MS, DAY_MS + 5, 3 * DAY_MS].map(at);
  const { kept } = chooseSnapshots(snapshots, { ...NONE, daily: 2 }, []);
  expect(times(kept)).toEqual([DAY_MS + 5, 3 * DAY_MS]);
});

test("weeks begin on Monday, months with the civil calendar, leap days included", () => {
  const sunday = at(utc("2024-03-03T23:59:59"));
  const monday = at(utc("2024-03-04T00:00:00"));
  const weekly = chooseSnapshots([sunday, monday], { ...NONE, weekly: 2 }, []);
  expect(weekly.kept).toEqual([sunday, monday]);
  const leap = at(utc("2024-02-29T23:59:59"));
  const monthly = chooseSnapshots([leap, sunday, monday], { ...NONE, monthly: 5 }, []);
  expect(monthly.kept).toEqual([leap, monday]);
});

test("what is pinned stays, whatever the policy", () => {
  const policies = fc.record({
    last: fc.nat(5),
    hourly: fc.nat(5),
    daily: fc.nat(5),
    weekly: fc.nat(5),
    monthly: fc.nat(5),
  });
  const taken = fc.uniqueArray(fc.nat(400 * 24), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(taken, policies, fc.nat(), (hours, policy, pick) => {
      const snapshots = hours.sort((a, b) => a - b).map((hour) => at(hour * HOUR_MS));
      const pinned = snapshots[pick % snapshots.length];
      if (pinned === undefined) return;
      const { kept, dropped } = chooseSnapshots(snapshots, policy, [pinned.id]);
      expect(kept).toContain(pinned);
      expect(kept.length + dropped.length).toBe(snapshots.length);
      const most = 1 + policy.last + policy.hourly + policy.daily + policy.weekly + policy.monthly;
      expect(kept.length).toBeLessThanOrEqual(most);
    }),
  );
});
