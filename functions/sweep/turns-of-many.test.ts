import { expect, test } from "vitest";
import { createTurnsOfMany } from "./turns-of-many.ts";

const names = Array.from({ length: 10 }, (_, n) => `p${n}`);

test("few are all hinted at each time", () => {
  const turns = createTurnsOfMany(10);
  expect(turns.take(names)).toEqual(names);
  expect(turns.take(names)).toEqual(names);
});

test("of many each gets its turn, whichever ends meanwhile", () => {
  const turns = createTurnsOfMany(4);
  const first = turns.take(names);
  const others = names.filter((name) => name !== first[0]);
  const sweeps = [first, turns.take(others), turns.take(others)];
  expect(sweeps.map(({ length }) => length)).toEqual([4, 4, 4]);
  expect(new Set(sweeps.flat())).toEqual(new Set(names));
});
