/**
 * Everything that can happen in a few situations, over the real rules: what must hold, holds in every
 * state, and each way of breaking the protocol is found out. `npm run explore` goes further.
 */
import { expect, test } from "vitest";
import { explore } from "./explore/explore.ts";
import { PINNED } from "./explore/pinned.ts";
import { BROKEN_RULES, openSubject } from "./explore/subjects.ts";

/** More than any of them needs. */
const STATES_MAX = 500_000;

// Another number means that other things can happen than before.
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
