import { expect, test } from "vitest";
import { throttleProgress } from "./volume-worker-messages.ts";

test("lets the first report through, then one in a quarter of a second", () => {
  const clock = { ms: 5 };
  const told: number[] = [];
  const report = throttleProgress(
    ({ doneBytes }) => told.push(doneBytes),
    () => clock.ms,
  );
  for (; clock.ms <= 1_005; clock.ms += 10) {
    report({ doneBytes: clock.ms, totalBytes: null, transferredBytes: 0 });
  }
  expect(told).toEqual([5, 255, 505, 755, 1_005]);
});
