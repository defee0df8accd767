import { expect, test } from "vitest";
import { VolumeName } from "../ids.ts";
import { CopyRound, VolumeMove } from "../record.ts";
import { foreseePause, needsAnotherRound, type PauseFacts } from "./copy-rounds.ts";
import { COPY_ROUNDS_MAX } from "./limits.ts";

const MB = 1_000_000;
const NOW = 100_000;

/** A copy that took so long and ended so long before now. */
const copy = (round: number, changedBytes: number, durationMs: number, agoMs: number): CopyRound =>
  CopyRound.parse({
    ...{ round, changedBytes, durationMs, storedBytes: changedBytes, takenAtMs: NOW - agoMs },
    snapshotId: `snapshot-${round}`,
  });

/** A volume on its way from x, whose target has staged the copy of that round. */
const move = (to: "x" | "y", staged: number | null, ...copies: CopyRound[]): VolumeMove =>
  VolumeMove.parse({
    ...{ settings: { onNodeLoss: "wait" }, from: { node: "x", epoch: 1 }, to, restore: null },
    ...{ copies, sealed: null, hydrated: null },
    ...(staged !== null && {
      prepared: {
        ...{ snapshotId: `snapshot-${staged}`, digest: "", files: 0, bytes: 0 },
        ...{ fetchedBytes: 0, reusedBytes: 0, durationMs: 0 },
      },
    }),
  });

const facts = (volume: VolumeMove): PauseFacts => ({
  ...{ deploy: { volumes: { [VolumeName.parse("data")]: volume } }, history: [], nowMs: NOW },
});
const withBudget = (volume: VolumeMove, maxPauseMs: number): VolumeMove => ({
  ...volume,
  settings: { ...volume.settings, maxPauseMs },
});

test("before a volume leaves its node, the target stages a copy", () => {
  const small = copy(1, 10, 1, 1);
  expect(needsAnotherRound(facts(move("y", null, small)), 1)).toBe(true);
  expect(needsAnotherRound(facts(move("x", null, small)), 1)).toBe(false);
});

test("rounds go on while the next one promises to leave clearly less", () => {
  // 30 s of writing at 1 MB/s were copied in the last round; the target has not staged them.
  const large = copy(1, 1_000 * MB, 20_000, 30_500);
  const behind = move("y", 1, large, copy(2, 30 * MB, 500, 0));
  expect(needsAnotherRound(facts(behind), 2)).toBe(true);
  const caughtUp = move("y", 2, large, copy(2, 1 * MB, 500, 20_500), copy(3, 1 * MB, 200, 0));
  expect(needsAnotherRound(facts(caughtUp), 3)).toBe(false);
});

test("rounds end where writing is as fast as copying, and after the last one that is allowed", () => {
  const large = copy(1, 1_000 * MB, 20_000, 20_000);
  const stalled = move("y", 1, large, copy(2, 900 * MB, 20_000, 0));
  expect(needsAnotherRound(facts(stalled), 2)).toBe(false);
  const behind = move("y", 1, large, copy(2, 300 * MB, 6_000, 0));
  expect(needsAnotherRound(facts(behind), 2)).toBe(true);
  expect(needsAnotherRound(facts(behind), COPY_ROUNDS_MAX)).toBe(false);
});

test("the pause is what nothing explains, and what is written since the last copy began, both ways", () => {
  expect(foreseePause(facts(move("y", null)))).toBeNull();
  // 10 MB in the 10 s between two copies; 700 ms and the stop pass after the last one began.
  const volume = (to: "x" | "y") =>
    move(to, 2, copy(1, 50 * MB, 1_000, 9_700), copy(2, 10 * MB, 500, 200));
  expect(foreseePause(facts(volume("x")))?.pauseMs).toBe(1_500 + 20);
  expect(foreseePause(facts(volume("y")))?.pauseMs).toBe(1_500 + 40);
});

test("a budget that is not met asks for rounds that gain little", () => {
  const large = copy(1, 1_000 * MB, 20_000, 20_000);
  const slow = move("y", 2, large, copy(2, 40 * MB, 1_000, 500));
  const gains = foreseePause(facts(slow));
  expect(needsAnotherRound(facts(slow), 2)).toBe(
    (gains?.pauseMs ?? 0) - (gains?.nextPauseMs ?? 0) >= 100,
  );
  expect(needsAnotherRound(facts(withBudget(slow, 1_501)), 2)).toBe(true);
});
