/**
 * Everything that can happen in a few situations, over the real rules: what must hold, holds in every
 * state, and each way of breaking the protocol is found out. `npm run explore` goes further.
 */
import { expect, test } from "vitest";
import { explore } from "./explore/explore.ts";
import { BROKEN_RULES, openSubject } from "./explore/subjects.ts";

/** More than any of them needs. */
const STATES_MAX = 500_000;

// Pinned: another number means that other things can happen than before.
const PINNED = [
  ["move", 28_494],
  ["way-back", 10_948],
  ["stay", 24_015],
  ["sick", 27_654],
  ["fail-over", 153_506],
  ["collect-one", 3_265],
  ["collect-slow", 12_583],
] as const;

test.each(PINNED)(
  "all that can happen in %s is explored, and nothing is broken",
  (name, states) => {
    const explored = explore(openSubject(name, null), { statesMax: STATES_MAX });
    expect(explored.breach).toBeNull();
    expect(explored).toMatchObject({ isComplete: true, states });
  },
);

test.each(BROKEN_RULES)("$name is found out: $says", ({ scenario, name }) => {
  expect(explore(openSubject(scenario, name), { statesMax: STATES_MAX }).breach).not.toBeNull();
});
