/** What is stopped anywhere leaves nothing broken, and the next try goes on where it ended. */
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { describeTree } from "../test/trees/describe-tree.ts";
import { openVolumePair, type VolumePair } from "../test/trees/volume-pair.ts";
import type { ObjectStore } from "./object-store.ts";

const FILES = 5_000;
const FILE_BYTES = 600;
/** More than any of these hydrates makes. */
const CALLS = 1_000_000;
/** So many calls before its end a hydrate breaks off. */
const LAST_CALLS = 2;

/** A store whose calls fail from the n-th on, until it is mended. */
const openFlaky = () => {
  const state = { left: Number.POSITIVE_INFINITY, fetchedBytes: 0 };
  const spend = (): void => {
    state.left -= 1;
    if (state.left < 0) throw new Error("the power is out");
  };
  const over = (store: ObjectStore): ObjectStore => ({
    ...store,
    put: async (...call) => {
      spend();
      return store.put(...call);
    },
    get: async (...call) => {
      spend();
      const body = await store.get(...call);
      state.fetchedBytes += body?.length ?? 0;
      return body;
    },
  });
  return { state, over };
};

const fill = (pair: VolumePair): void => {
  for (let i = 0; i < FILES; i += 1) {
    if (i % 500 === 0) mkdirSync(`${pair.source}/d${i / 500}`);
    writeFileSync(`${pair.source}/d${Math.floor(i / 500)}/f${i}`, randomBytes(FILE_BYTES));
  }
};

test("a hydrate that broke off fetches nothing twice that it had finished", {
  timeout: 120_000,
}, async () => {
  const { state, over } = openFlaky();
  const pair = openVolumePair(undefined, over);
  try {
    fill(pair);
    const { snapshotId } = await pair.snapshot();
    state.left = CALLS;
    state.fetchedBytes = 0;
    await pair.hydrateTo("whole", snapshotId);
    const all = state.fetchedBytes;
    state.left = CALLS - state.left - LAST_CALLS;
    await expect(pair.hydrateTo("copy", snapshotId)).rejects.toThrow(/power/);
    state.left = CALLS;
    state.fetchedBytes = 0;
    await pair.hydrateTo("copy", snapshotId);
    expect(describeTree(pair.pathOf("copy"))).toEqual(describeTree(pair.source));
    // What was under way when it broke off, and the part of the tree that names it.
    expect(state.fetchedBytes).toBeLessThan(all * 0.7);
    state.fetchedBytes = 0;
    await pair.hydrateTo("copy", snapshotId);
    expect(state.fetchedBytes).toBeLessThan(all * 0.3);
  } finally {
    pair.remove();
  }
});

test("a snapshot that broke off at any call leaves the earlier ones whole, and the next one is right", {
  timeout: 120_000,
}, async () => {
  const { state, over } = openFlaky();
  const pair = openVolumePair(undefined, over);
  try {
    writeFileSync(`${pair.source}/a`, randomBytes(2_000_000));
    const first = await pair.snapshot();
    const before = describeTree(pair.source);
    writeFileSync(`${pair.source}/b`, randomBytes(40 * 2 ** 20));
    for (let calls = 0; calls < 6; calls += 1) {
      state.left = calls;
      const outcome = await pair.snapshot().catch((error: unknown) => error);
      if (!(outcome instanceof Error)) break;
      expect(outcome.message).toMatch(/power/);
      state.left = Number.POSITIVE_INFINITY;
      await pair.hydrateTo("first", first.snapshotId);
      expect(describeTree(pair.pathOf("first"))).toEqual(before);
    }
    state.left = Number.POSITIVE_INFINITY;
    const last = await pair.snapshot();
    await pair.hydrateTo("last", last.snapshotId);
    expect(describeTree(pair.pathOf("last"))).toEqual(describeTree(pair.source));
  } finally {
    pair.remove();
  }
});
