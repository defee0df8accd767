import { expect, test } from "vitest";
import { begin, DATA, NOW, running, two, until, X, Y } from "../deploy/given-deploys.ts";
import { Epoch, SnapshotId } from "../ids.ts";
import type { ProjectState, VolumeState } from "../record.ts";
import { isEvictable } from "./is-evictable.ts";

const moved = until(begin(running, "second", "b", two), null);
const volume = moved.volumes[DATA] as VolumeState;
const head = volume.head?.id as SnapshotId;
const old = Epoch.parse(volume.epoch - 1);
const withVolume = (more: Partial<VolumeState>): ProjectState => ({
  ...moved,
  volumes: { [DATA]: { ...volume, ...more } },
});
const sealed = { role: "sealed" as const, epoch: old, snapshotId: head };
const staging = { role: "staging" as const, epoch: Epoch.parse(0), snapshotId: head };

test("what moved away and stands in the store may go", () => {
  expect(volume.owner).toBe(Y);
  expect(isEvictable(moved, DATA, sealed, X)).toBe(true);
  expect(isEvictable(moved, DATA, staging, X)).toBe(true);
});

test("what may be the only copy never goes", () => {
  const own = withVolume({ owner: X, origin: { kind: "local", epoch: old } });
  expect(isEvictable(own, DATA, sealed, X)).toBe(false);
  expect(isEvictable(moved, DATA, { ...sealed, epoch: volume.epoch }, X)).toBe(false);
  expect(isEvictable(moved, DATA, { ...sealed, snapshotId: null }, X)).toBe(false);
  for (const role of ["live", "branch"] as const) {
    expect(isEvictable(moved, DATA, { ...sealed, role }, X)).toBe(false);
  }
  const loss = {
    node: X,
    epoch: old,
    atMs: NOW,
    acceptedBy: "o",
    snapshotId: null,
    windowMs: null,
  };
  const unknown = { ...sealed, snapshotId: SnapshotId.parse("never-heard-of") };
  expect(isEvictable(withVolume({ losses: [loss] }), DATA, unknown, X)).toBe(false);
  expect(isEvictable(withVolume({ losses: [loss] }), DATA, sealed, X)).toBe(true);
});

test("nothing goes while a deploy runs, of a standby, or of what the record does not know", () => {
  const deploying = begin(moved, "third", "c", { ...two, containers: {} });
  expect(deploying.deploy).not.toBeNull();
  expect(isEvictable(deploying, DATA, staging, X)).toBe(false);
  expect(isEvictable(withVolume({ standbys: [X] }), DATA, staging, X)).toBe(false);
  expect(isEvictable(withVolume({ head: null }), DATA, staging, X)).toBe(false);
  expect(isEvictable({ ...moved, volumes: {} }, DATA, staging, X)).toBe(false);
});
