import { expect, test } from "vitest";
import { ProjectId } from "../workflows/ids.ts";
import { createWatchList } from "./watch-list.ts";

const P = ProjectId.parse("p");

/** In which of so many intervals its turn came. */
const turns = (list: ReturnType<typeof createWatchList>, intervals: number): number[] =>
  Array.from({ length: intervals }, (_, index) => index + 1).filter(() =>
    list.takeDue().includes(P),
  );

test("a project is looked at soon after something was heard of it, then ever more rarely", () => {
  const list = createWatchList();
  list.touch(P);
  expect(turns(list, 32)).toEqual([1, 3, 7, 15, 23, 31]);
  list.keep(P);
  expect(turns(list, 3)).toEqual([]);
  list.touch(P);
  expect(turns(list, 3)).toEqual([1, 3]);
});

test("a project at rest is left alone until it is heard of again", () => {
  const list = createWatchList();
  list.keep(P);
  expect(turns(list, 1)).toEqual([1]);
  list.drop(P);
  expect(turns(list, 20)).toEqual([]);
});
