/** What a hydrate into a copy from before costs follows what changed, and trusts nothing unchecked. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { describeTree } from "../test/trees/describe-tree.ts";
import { openVolumePair, type VolumePair } from "../test/trees/volume-pair.ts";
import type { ObjectStore } from "./object-store.ts";

const SMALL = 1_000;
const LARGE = 8_000;
const FILES_PER_DIRECTORY = 500;
/** The root's segment and the changed file's are two only in a large tree. */
const SEGMENTS_MORE = 1;
/** On a busy machine the copy can't tell by their times that some files are untouched: a frame of them each. */
const FRAMES_MORE = 2;
const SEGMENT_SHARE_MAX = 4;
const SEGMENT = /\/t-\d+$/;

const openCounter = () => {
  const counts = { gets: 0, segments: 0, bytes: 0 };
  const over = (store: ObjectStore): ObjectStore => ({
    ...store,
    get: async (...call) => {
      const body = await store.get(...call);
      counts.gets += 1;
      if (SEGMENT.test(call[0])) counts.segments += 1;
      counts.bytes += body?.length ?? 0;
      return body;
    },
  });
  return { counts, over };
};

const fill = (pair: VolumePair, files: number): void => {
  for (let i = 0; i < files; i += 1) {
    const directory = `${pair.source}/d${Math.floor(i / FILES_PER_DIRECTORY)}`;
    if (i % FILES_PER_DIRECTORY === 0) mkdirSync(directory);
    writeFileSync(`${directory}/f${i}`, `content of ${i}`);
  }
};

/** Gets and bytes of the hydrate that follows a change of one file in so many. */
const costOfOneChange = async (files: number) => {
  const { counts, over } = openCounter();
  const pair = openVolumePair(undefined, over);
  try {
    fill(pair, files);
    // The files that were written just before the first are not to be trusted until the second.
    await pair.snapshot();
    await pair.hydrateTo("copy", (await pair.snapshot()).snapshotId);
    writeFileSync(`${pair.source}/zz-last`, "new");
    const { snapshotId } = await pair.snapshot();
    Object.assign(counts, { gets: 0, segments: 0, bytes: 0 });
    await pair.hydrateTo("copy", snapshotId);
    expect(describeTree(pair.pathOf("copy"))).toEqual(describeTree(pair.source));
    return { ...counts };
  } finally {
    pair.remove();
  }
};

test("gets and bytes do not grow with the files that did not change", async () => {
  const [small, large] = [await costOfOneChange(SMALL), await costOfOneChange(LARGE)];
  expect(large.segments).toBeLessThanOrEqual(small.segments + SEGMENTS_MORE);
  expect(large.gets).toBeLessThanOrEqual(small.gets + SEGMENTS_MORE + FRAMES_MORE);
  expect(large.bytes).toBeLessThan(SEGMENT_SHARE_MAX * small.bytes);
});

test("a tree that was known and is not what it should be is fetched again", async () => {
  const { counts, over } = openCounter();
  const pair = openVolumePair(undefined, over);
  try {
    fill(pair, SMALL);
    const { snapshotId } = await pair.snapshot();
    await pair.hydrateTo("copy", snapshotId);
    const known = { gets: 0, bytes: 0 };
    Object.assign(counts, known);
    await pair.hydrateTo("copy", snapshotId);
    Object.assign(known, counts);
    const index = readFileSync(pair.indexOf("copy"));
    const at = index.indexOf('"mode":420');
    expect(at).toBeGreaterThan(0);
    index.write('"mode":511', at, "latin1");
    writeFileSync(pair.indexOf("copy"), index);
    Object.assign(counts, { gets: 0, segments: 0, bytes: 0 });
    await pair.hydrateTo("copy", snapshotId);
    expect(known.gets).toBe(1);
    expect(counts.gets).toBeGreaterThan(known.gets);
    expect(describeTree(pair.pathOf("copy"))).toEqual(describeTree(pair.source));
  } finally {
    pair.remove();
  }
});
