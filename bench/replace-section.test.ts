import { expect, test } from "vitest";
import { replaceSection } from "./replace-section.ts";

const PAGE = "# Benchmarks\n\nWritten by hand.\n";

test("a section that the page does not have is put at its end", () => {
  const page = replaceSection(PAGE, "engine", "one");
  expect(page).toContain("Written by hand.");
  expect(page.indexOf("one")).toBeGreaterThan(page.indexOf("Written by hand."));
});

test("a section is replaced in its place, and all around it stays", () => {
  const both = replaceSection(replaceSection(PAGE, "engine", "one"), "gap", "two");
  const page = replaceSection(`${both}\nA remark at the end.\n`, "engine", "three");
  expect(page).not.toContain("one");
  expect(page.indexOf("three")).toBeLessThan(page.indexOf("two"));
  expect(page).toContain("Written by hand.");
  expect(page).toContain("A remark at the end.");
});

test("writing the same section twice changes nothing", () => {
  const once = replaceSection(PAGE, "engine", "one\n");
  expect(replaceSection(once, "engine", "one\n")).toBe(once);
});
