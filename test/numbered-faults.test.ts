/** Every line of the list of faults is a test whose name begins with its number. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const FAULTS = 53;

/** A test's name: the text after `test(`, `test.each(…)(` and their like. */
const NAME = /^\s*(?:test|it)?[^"`\n]*["`](\d+(?:, \d+)*): /gm;

const numbersIn = (text: string): number[] =>
  [...text.matchAll(NAME)].flatMap((match) => (match[1] ?? "").split(", ").map(Number));

const testSources = (): string[] =>
  execFileSync("git", ["ls-files", "-co", "--exclude-standard", "*.test.ts", "*-suite.ts"], {
    encoding: "utf8",
  })
    .split("\n")
    .filter((path) => path !== "");

test("every fault has a test of its number", () => {
  const tested = new Set(testSources().flatMap((path) => numbersIn(readFileSync(path, "utf8"))));
  const all = Array.from({ length: FAULTS }, (_, index) => index + 1);
  expect(all.filter((number) => !tested.has(number))).toEqual([]);
});

test("numbers are read off names, and off nothing else", () => {
  expect(numbersIn('test("12, 13: lost messages", () => {')).toEqual([12, 13]);
  expect(numbersIn('test.each(all)(\n  "7: killed", () => {')).toEqual([7]);
  expect(numbersIn('test("without a number", () => {\n  expect(x).toBe(12);')).toEqual([]);
});
