import { expect, test } from "vitest";
import { systemClock } from "./clock.ts";

test("sleep lasts at least as long as asked, on the monotonic clock", async () => {
  const startMs = systemClock.monotonicMs();
  await systemClock.sleep(20, new AbortController().signal);
  // Timers round to whole milliseconds, the monotonic clock does not.
  expect(systemClock.monotonicMs() - startMs).toBeGreaterThanOrEqual(19);
});

test("an abort ends a sleep at once, with the signal's reason", async () => {
  const stop = new AbortController();
  const slept = systemClock.sleep(60_000, stop.signal);
  const reason = new Error("stop");
  stop.abort(reason);
  await expect(slept).rejects.toBe(reason);
  await expect(systemClock.sleep(60_000, stop.signal)).rejects.toBe(reason);
});
