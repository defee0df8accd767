import { expect, test } from "vitest";
import { EndedDeploy, VolumeMove } from "../record.ts";
import { explainGap } from "./explain-gap.ts";

const outcome = {
  ...{ stopBeganAtMs: 1_000, stoppedAtMs: 1_200, stopped: "clean" },
  ...{ orderedAtMs: 1_600, materialisedAtMs: 1_850, createdAtMs: 1_900, startedAtMs: 2_100 },
};
const ended = (more: Record<string, unknown>) =>
  EndedDeploy.pick({ containers: true, volumes: true, gapMs: true }).parse({
    gapMs: 1_150,
    containers: { web: { from: "x", to: "y", outcome: { ...outcome, healthyAtMs: 2_150 } } },
    volumes: {
      data: VolumeMove.omit({ settings: true }).parse({
        ...{ from: { node: "x", epoch: 1 }, to: "y", restore: null, copies: [], hydrated: null },
        sealMs: 200,
        sealed: {
          ...{ id: "snapshot-2", epoch: 1, takenAtMs: 1_450, digest: "", files: 0, bytes: 0 },
          ...{ storedBytes: 0, kind: "final", stopped: "clean", deployId: null },
        },
      }),
    },
    ...more,
  });

test("the parts of a gap follow each other and add up to it", () => {
  const parts = explainGap(ended({}));
  expect(parts).toEqual([
    { name: "stop", ms: 200 },
    { name: "close", ms: 50 },
    { name: "snapshot", ms: 200 },
    { name: "hand-over", ms: 150 },
    { name: "hydrate", ms: 250 },
    { name: "create", ms: 50 },
    { name: "start", ms: 200 },
    { name: "health", ms: 50 },
  ]);
  expect(parts.reduce((sum, { ms }) => sum + ms, 0)).toBe(1_150);
});

test("a gap that is not known, or that an older version measured, has no parts", () => {
  expect(explainGap(ended({ gapMs: null }))).toEqual([]);
  const { stopBeganAtMs, stoppedAtMs } = outcome;
  const old = { stopBeganAtMs, stoppedAtMs, startedAtMs: 2_100, healthyAtMs: 2_150 };
  const containers = { web: { from: "x", to: "y", outcome: old } };
  expect(explainGap(ended({ containers }))).toEqual([]);
});
