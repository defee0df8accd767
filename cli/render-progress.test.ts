import { expect, test } from "vitest";
import { StepProgress } from "../functions/step-progress.ts";
import { nameStep, renderBar, renderWords } from "./render-progress.ts";

const bar = (progress: StepProgress, nowMs: number) =>
  renderBar(nameStep(progress), progress, nowMs);
const words = (progress: StepProgress, nowMs: number) =>
  renderWords(nameStep(progress), progress, nowMs);

const MIB = 2 ** 20;
const copy: StepProgress = StepProgress.parse({
  ...{ deployId: "0123456789ab", step: "copy-1", node: "x", volume: "mes_data", image: null },
  ...{ doneBytes: 126 * MIB, totalBytes: 300 * MIB, transferredBytes: 60 * MIB },
  ...{ rateBytesPerS: 40 * MIB, atMs: 1_000_000 },
});

test("a copy of known size has a bar, a rate and a time left", () => {
  expect(bar(copy, 1_000_500)).toBe(
    "copy-1 on x, mes_data  ██████████░░░░░░░░░░░░░░  42 %  126.0 MiB of 300.0 MiB  " +
      "60.0 MiB transferred  40.0 MiB/s  5 s left",
  );
  expect(words(copy, 1_000_500)).toBe(
    "copy-1 on x, mes_data: 42 %, 126.0 MiB of 300.0 MiB, " +
      "60.0 MiB transferred, 40.0 MiB/s, 5 s left",
  );
});

test("what is not known is not said", () => {
  const unknown = { ...copy, totalBytes: null, rateBytesPerS: null };
  expect(bar(unknown, 1_000_500)).toBe("copy-1 on x, mes_data  126.0 MiB  60.0 MiB transferred");
  expect(words({ ...copy, rateBytesPerS: 0 }, 1_000_500)).not.toContain("left");
  expect(words({ ...copy, doneBytes: 0, totalBytes: 0 }, 1_000_500)).not.toContain("%");
});

test("an image pull names the image; a bar is never more than full", () => {
  const pull = { ...copy, volume: null, image: "nginx:1", step: "prepare-1" };
  expect(words(pull, 1_000_500)).toMatch(/^prepare-1 on x, image nginx:1: 42 %/);
  expect(bar({ ...copy, doneBytes: 301 * MIB }, 1_000_500)).toContain(`${"█".repeat(24)}  100 %`);
});

test("a step that fell silent says so", () => {
  expect(words(copy, 1_015_000)).not.toContain("no news");
  expect(words(copy, 1_042_000)).toMatch(/no news for 42\.00 s$/);
});

test("what is all transferred is not said twice; an hour is not told in seconds", () => {
  const slow = { ...copy, transferredBytes: copy.doneBytes, rateBytesPerS: MIB };
  expect(words(slow, 1_000_500)).toBe(
    "copy-1 on x, mes_data: 42 %, 126.0 MiB of 300.0 MiB, 1.0 MiB/s, 2 min 54 s left",
  );
});
