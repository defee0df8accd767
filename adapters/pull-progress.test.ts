import { expect, test } from "vitest";
import { PullLine, trackPull } from "./pull-progress.ts";

test("layers are summed, unpacking is not counted again", () => {
  const progress = trackPull();
  const add = (id: string, status: string, current?: number, total?: number) =>
    progress.add(PullLine.parse({ id, status, progressDetail: { current, total } }));
  expect(add("a", "Pulling fs layer")).toBeNull();
  expect(add("a", "Downloading", 10, 100)).toEqual({ doneBytes: 10, totalBytes: 100 });
  expect(add("b", "Downloading", 5, 50)).toEqual({ doneBytes: 15, totalBytes: 150 });
  expect(add("a", "Download complete")).toEqual({ doneBytes: 105, totalBytes: 150 });
  expect(add("a", "Extracting", 1, 100)).toBeNull();
  expect(add("b", "Download complete")).toEqual({ doneBytes: 150, totalBytes: 150 });
  expect(add("a", "Pull complete")).toEqual({ doneBytes: 150, totalBytes: 150 });
  expect(add("c", "Already exists")).toBeNull();
});
