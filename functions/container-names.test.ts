import { expect, test } from "vitest";
import { containerLabels, memoryOf, parseLabels } from "./container-names.ts";

const ours = { node: "x", project: "shop", container: "web", epoch: 7 };

test("labels tell whose container it is and what memory it may take", () => {
  const labels = containerLabels({ ...ours, memLimitBytes: 2 ** 30 });
  expect(parseLabels(labels)).toEqual({ project: "shop", container: "web", epoch: 7 });
  expect(memoryOf(labels)).toBe(2 ** 30);
});

test("no limit, and labels that someone else wrote, reserve nothing", () => {
  expect(memoryOf(containerLabels({ ...ours, memLimitBytes: undefined }))).toBe(0);
  expect(memoryOf({ "bagage.memory": "much" })).toBe(0);
  expect(memoryOf({ "bagage.memory": "-5" })).toBe(0);
});
