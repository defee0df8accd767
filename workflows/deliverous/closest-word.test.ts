import { expect, test } from "vitest";
import { closestWord } from "./closest-word.ts";
import { KEYS } from "./vocabulary.ts";

test.for([
  ["imge", "image"],
  ["iamge", "image"],
  ["Image", "image"],
  ["enviroment", "environment"],
  ["stop_grace_periode", "stop_grace_period"],
  ["port", "ports"],
  ["cpu", "cpus"],
] as const)("%s was meant to be %s", ([typed, meant]) => {
  expect(closestWord(typed, KEYS[""] ?? [])).toBe(meant);
});

test("a word that is far from all of them is nobody's", () => {
  expect(closestWord("kubernetes", KEYS[""] ?? [])).toBeNull();
  expect(closestWord("x", [])).toBeNull();
});
