/** Data that are in use move out of packs that are mostly dead, and nothing else changes. */
import { randomBytes } from "node:crypto";
import { openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { anyChanges, changeTree } from "../test/trees/change-tree.ts";
import { describeTree } from "../test/trees/describe-tree.ts";
import { anyTree, growTree } from "../test/trees/random-tree.ts";
import { propertyRuns } from "../test/trees/test-settings.ts";
import { openVolumePair, PREFIX, type VolumePair } from "../test/trees/volume-pair.ts";
import { choosePoorPacks, REPACK_BYTES_MAX } from "./repack.ts";
import { readSnapshot } from "./snapshot.ts";

const { signal } = new AbortController();
const packsOf = async ({ store }: VolumePair, snapshotId: string): Promise<string[]> => {
  const snapshot = await readSnapshot({ store, prefix: PREFIX, snapshotId }, signal);
  return snapshot?.packs.map(([name]) => name) ?? [];
};
const withPair = async (use: (pair: VolumePair) => Promise<void>): Promise<void> => {
  const pair = openVolumePair();
  try {
    await use(pair);
  } finally {
    pair.remove();
  }
};

test("a repacking snapshot is the same content, whatever changed before and with it", async () => {
  const rounds = fc.array(anyChanges, { minLength: 2, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(anyTree, rounds, async (tree, changes) => {
      await withPair(async (pair) => {
        growTree(pair.source, tree);
        await pair.snapshot();
        for (const change of changes) {
          changeTree(pair.source, change);
          await pair.snapshot();
        }
        const { digest } = await pair.snapshot();
        const repacked = await pair.snapshot({ repack: true });
        expect(repacked.digest).toBe(digest);
        await pair.hydrateTo("copy", repacked.snapshotId);
        expect(describeTree(pair.pathOf("copy"))).toEqual(describeTree(pair.source));
        changeTree(pair.source, changes[0] ?? []);
        const after = await pair.snapshot({ repack: true });
        await pair.hydrateTo("copy", after.snapshotId);
        expect(describeTree(pair.pathOf("copy"))).toEqual(describeTree(pair.source));
      });
    }),
    { numRuns: propertyRuns(5) },
  );
});

test("after many deltas the packs that are mostly dead are needed no more", async () => {
  await withPair(async (pair) => {
    const file = join(pair.source, "db");
    writeFileSync(file, randomBytes(400_000));
    const first = await pair.snapshot();
    const old = await packsOf(pair, first.snapshotId);
    const fd = openSync(file, "r+");
    writeSync(fd, randomBytes(300_000), 0, 300_000, 0);
    const plain = await pair.snapshot();
    expect(await packsOf(pair, plain.snapshotId)).toEqual(expect.arrayContaining(old));
    const repacked = await pair.snapshot({ repack: true });
    const left = await packsOf(pair, repacked.snapshotId);
    expect(left.filter((name) => old.includes(name))).toEqual([]);
    // What was moved is what was left, not the file.
    expect(repacked.storedBytes).toBeLessThan(150_000);
    expect(repacked.digest).toBe(plain.digest);
  });
});

test("data that become zeros while their pack is let go of read as zeros", async () => {
  await withPair(async (pair) => {
    const file = join(pair.source, "db");
    writeFileSync(file, randomBytes(400_000));
    await pair.snapshot();
    const fd = openSync(file, "r+");
    writeSync(fd, randomBytes(300_000), 0, 300_000, 0);
    await pair.snapshot();
    writeSync(fd, Buffer.alloc(50_000), 0, 50_000, 320_000);
    const { snapshotId } = await pair.snapshot({ repack: true });
    await pair.hydrateTo("copy", snapshotId);
    expect(describeTree(pair.pathOf("copy"))).toEqual(describeTree(pair.source));
  });
});

test("poor packs are those of little use, and small ones only where they are many", () => {
  const sizes = new Map<string, number>();
  const live = new Map<string, number>();
  const add = (name: string, size: number, bytes: number) => {
    sizes.set(name, size);
    live.set(name, bytes);
  };
  add("full", 16_000_000, 15_000_000);
  add("half-dead", 16_000_000, 7_000_000);
  add("small", 10_000, 10_000);
  expect([...choosePoorPacks(live, sizes)]).toEqual(["half-dead"]);
  for (let i = 0; i < 40; i += 1) add(`small-${i}`, 10_000, 10_000);
  const chosen = choosePoorPacks(live, sizes);
  expect(chosen.has("small-7")).toBe(true);
  expect(chosen.has("full")).toBe(false);
});

test("one snapshot moves no more than its bound", () => {
  const packs = Array.from({ length: 100 }, (_, i): [string, number] => [`p-${i}`, 7 * 2 ** 20]);
  const sizes = new Map(packs.map(([name]): [string, number] => [name, 16 * 2 ** 20]));
  const chosen = choosePoorPacks(new Map(packs), sizes);
  expect(chosen.size).toBe(Math.floor(REPACK_BYTES_MAX / (7 * 2 ** 20)));
});
