import { expect, test } from "vitest";
import { summariseWaits } from "./percentiles.ts";

test("a percentile is the smallest wait that the share does not exceed", () => {
  const waits = Array.from({ length: 1_000 }, (_, index) => 1_000 - index);
  expect(summariseWaits(waits)).toEqual({
    ...{ count: 1_000, p50Ms: 500, p99Ms: 990, p999Ms: 999, longestMs: 1_000 },
  });
  expect(summariseWaits([7])).toMatchObject({ count: 1, p50Ms: 7, p999Ms: 7 });
  expect(summariseWaits([])).toMatchObject({ count: 0, longestMs: 0 });
});
