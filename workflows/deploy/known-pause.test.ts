import { expect, test } from "vitest";
import { ContainerName } from "../ids.ts";
import { CopyRound, VolumeMove } from "../record.ts";
import {
  knownBasePause,
  knownCopyRate,
  PAUSE_BASE_MS,
  PAUSE_BEFORE_CREATE_MS,
} from "./known-pause.ts";

const MB = 1_000_000;
const [WEB, DB] = [ContainerName.parse("web"), ContainerName.parse("db")];
const copy = (changedBytes: number, durationMs: number): CopyRound =>
  CopyRound.parse({
    ...{ round: 1, changedBytes, durationMs, storedBytes: changedBytes, snapshotId: "snapshot-1" },
  });
const ended = (gapMs: number | null, storedBytes: number, ...copies: CopyRound[]) => ({
  ...{ gapMs, result: "deployed" as const, containers: {} },
  volumes: {
    data: VolumeMove.parse({
      ...{ settings: { onNodeLoss: "wait" }, from: null, to: null, restore: null, copies },
      hydrated: null,
      sealed: {
        ...{ id: "snapshot-2", epoch: 1, takenAtMs: 1, digest: "", files: 0, bytes: 0 },
        ...{ storedBytes, kind: "final", stopped: "clean", deployId: null },
      },
    }),
  },
});

test("the rate is the newest that a copy of some size has shown", () => {
  expect(knownCopyRate([])).toBe(50 * MB);
  expect(knownCopyRate([ended(null, 0, copy(100, 1))])).toBe(50 * MB);
  const told = [ended(null, 0, copy(20 * MB, 1_000)), ended(null, 0, copy(30 * MB, 1_000))];
  expect(knownCopyRate([...told, ended(null, 0, copy(5, 9))])).toBe(30 * MB);
});

test("the pause that no byte explains is the median of the last gaps, less their bytes' time", () => {
  expect(knownBasePause([])).toBe(PAUSE_BASE_MS);
  expect(knownBasePause([ended(null, 0)])).toBe(PAUSE_BASE_MS);
  expect(knownBasePause([ended(900, 0), ended(9_000, 0), ended(1_000, 0)])).toBe(1_000);
  expect(knownBasePause([ended(3_000, 50 * MB)])).toBe(2_000);
  const failed = { ...ended(9_000, 0), result: "rolled-back" as const };
  expect(knownBasePause([ended(800, 0), failed, failed])).toBe(800);
});

test("before the first gap, a first start tells how long the next one takes", () => {
  const start = (healthyAtMs: number) => ({
    from: null,
    to: null,
    outcome: { ...CREATED, healthyAtMs },
  });
  const CREATED = { orderedAtMs: 0, materialisedAtMs: 100 };
  const first = {
    ...ended(null, 0),
    containers: { [WEB]: start(500), [DB]: start(3_100) },
  };
  expect(knownBasePause([first])).toBe(PAUSE_BEFORE_CREATE_MS + 3_000);
  expect(knownBasePause([first, ended(900, 0)])).toBe(900);
  const failed = { ...first, result: "rolled-back" as const };
  expect(knownBasePause([failed])).toBe(PAUSE_BASE_MS);
});
