import { expect, test } from "vitest";
import type { ProjectState } from "../record.ts";
import {
  begin,
  DATA,
  FAILURE,
  given,
  NOW,
  reportOf,
  running,
  two,
  until,
  X,
} from "./given-deploys.ts";
import type { Input } from "./messages.ts";

const lost: Input = { type: "node.lost", node: X, nowMs: NOW };
const late: Input = { type: "time.passed", nowMs: NOW * 1_000_000 };
const volume = (state: ProjectState) => state.volumes[DATA];

// The deploy stayed, and the abort of its drain gave the volume back to the lost node's old data.
test("a deploy whose source is lost ends, also while the source owes it nothing", () => {
  const copying = begin(running, "second", "b", two);
  const copied = given(copying, reportOf(copying));
  expect(copied.deploy?.phase.awaits.map(({ node }) => node)).not.toContain(X);
  const without = given(copied, lost);
  expect(without).toMatchObject({ deploy: null, containers: {} });
  expect(volume(without)).toMatchObject({ owner: null });
  expect(given(without, late)).toEqual(without);
});

// It was detached under a newer epoch, and then started under the older one of the deploy.
test("data that a deploy has sealed go on without their old node, under the deploy's epoch", () => {
  const sealed = until(begin(running, "second", "b", two), "sealed");
  const without = given(sealed, lost);
  expect(volume(without)?.losses).toEqual([]);
  expect(volume(without)?.epoch).toBe(volume(sealed)?.epoch);
  const deployed = until(without, null);
  expect(deployed.history.at(-1)?.result).toBe("deployed");
  expect(volume(deployed)?.epoch).toBe(deployed.epochCounter);
  const failed = until(
    given(until(without, "starting"), reportOf(until(without, "starting"), FAILURE)),
    null,
  );
  expect(failed).toMatchObject({ containers: {} });
  expect(volume(failed)).toMatchObject({ owner: null, head: volume(sealed)?.head });
});
