import { expect, test } from "vitest";
import { begin, DATA, lostInDrain, running, two, until, X, Y } from "../deploy/given-deploys.ts";
import { Epoch, SnapshotId } from "../ids.ts";
import type { VolumeState } from "../record.ts";
import { isGivenUp } from "./given-up.ts";

const epoch = (n: number) => Epoch.parse(n);
const volume = lostInDrain.volumes[DATA] as VolumeState;
const unknown = SnapshotId.parse("never-reported");

// It passed for a cache, and was changed in place for the next deploy to that node.
test("29: what a lost node sealed without the record's knowing is no cache", () => {
  expect(isGivenUp({ epoch: epoch(1), snapshotId: unknown }, volume, X)).toBe(true);
  expect(isGivenUp({ epoch: epoch(1), snapshotId: null }, volume, X)).toBe(true);
});

test("a copy of a snapshot that the record has, of another node, or sealed later, is one", () => {
  const sealed = until(begin(running, "third", "c", two), "sealed").volumes[DATA] as VolumeState;
  const known = { ...volume, snapshots: sealed.snapshots };
  const snapshotId = sealed.head?.id ?? unknown;
  expect(isGivenUp({ epoch: epoch(1), snapshotId }, known, X)).toBe(false);
  expect(isGivenUp({ epoch: epoch(1), snapshotId: unknown }, volume, Y)).toBe(false);
  expect(isGivenUp({ epoch: epoch(9), snapshotId: unknown }, volume, X)).toBe(false);
});
