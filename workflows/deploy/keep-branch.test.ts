import { expect, test } from "vitest";
import { Epoch, SnapshotId } from "../ids.ts";
import { decide } from "./decide.ts";
import {
  begin,
  DATA,
  given,
  NOW,
  projectOf,
  running,
  spec,
  until,
  WEB,
  X,
} from "./given-deploys.ts";
import type { Input } from "./messages.ts";

/** Version two on x, with a sealed head. */
const serving = until(begin(running, "second", "b", projectOf({ [WEB]: spec("two", X) })), null);

test("a branch that a node finds is noted once", () => {
  const kept: Input = {
    type: "branch.kept",
    volume: DATA,
    branch: {
      node: X,
      epoch: serving.epochCounter,
      keptAtMs: NOW,
      bytes: 1,
      reason: "lost",
      changedAtMs: NOW,
      snapshotId: null,
    },
  };
  const noted = given(serving, kept);
  expect(noted.volumes[DATA]?.branches).toHaveLength(1);
  expect(decide(noted, kept).kind).toBe("unchanged");
});

test("a branch is saved under the volume's epoch of now, and only when asked for and whole", () => {
  const origin = { node: X, epoch: running.epochCounter };
  const place = { volume: DATA, ...origin };
  const branch = { ...origin, keptAtMs: NOW, bytes: 1, reason: "", changedAtMs: NOW };
  const kept = { type: "branch.kept", volume: DATA, branch: { ...branch, snapshotId: null } };
  const noted = given(serving, kept as Input);
  const head = serving.volumes[DATA]?.head;
  if (head === null || head === undefined) throw new Error("no head");
  const saved = (epoch: number, isWhole = true): Input => ({
    type: "branch.saved",
    ...place,
    snapshot: { ...head, id: SnapshotId.parse("branch-e1-x"), epoch: Epoch.parse(epoch) },
    isWhole,
  });
  expect(decide(noted, saved(2)).kind).toBe("unchanged");
  const asked = given(noted, { type: "branch.wanted", ...place, nowMs: NOW });
  expect(decide(asked, saved(1)).kind).toBe("unchanged");
  expect(decide(asked, saved(2, false)).kind).toBe("unchanged");
  const done = given(asked, saved(2));
  expect(done.volumes[DATA]?.snapshots.map(({ id }) => id)).toContain("branch-e1-x");
  expect(done.volumes[DATA]?.head?.id).toBe(head.id);
  expect(decide(done, saved(2)).kind).toBe("unchanged");
});
