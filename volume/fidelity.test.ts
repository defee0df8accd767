/** What comes back is what was there, for random trees and random changes, by two judges. */
import { cpSync, rmSync } from "node:fs";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { anyChanges, changeTree } from "../test/trees/change-tree.ts";
import { anyTreeCase, checkTree } from "../test/trees/check-tree.ts";
import { describeTree, rsyncDifferences } from "../test/trees/describe-tree.ts";
import { openDisturber } from "../test/trees/disturber.ts";
import { anyTree, growTree } from "../test/trees/random-tree.ts";
import { propertyRuns } from "../test/trees/test-settings.ts";
import { openVolumePair, type VolumePair } from "../test/trees/volume-pair.ts";

/** More runs by hand: PROPERTY_RUNS=2000; elsewhere: VOLUME_TEST_ROOT=/mnt/xfs. */
const RUNS = propertyRuns(15);
const TIMEOUT_MS = 30_000 + RUNS * 1_000;

const withPair = async (use: (pair: VolumePair) => Promise<void>): Promise<void> => {
  const pair = openVolumePair();
  try {
    await use(pair);
  } finally {
    pair.remove();
  }
};

const expectSame = (pair: VolumePair, name: string): void => {
  expect(describeTree(pair.pathOf(name))).toEqual(describeTree(pair.source));
  expect(rsyncDifferences(pair.source, pair.pathOf(name))).toBe("");
};

test("39: a tree hydrates as it was", { timeout: TIMEOUT_MS }, async () => {
  await fc.assert(
    fc.asyncProperty(anyTree, async (tree) => {
      await withPair(async (pair) => {
        growTree(pair.source, tree);
        const taken = await pair.snapshot();
        const hydrated = await pair.hydrateTo("copy", taken.snapshotId);
        expectSame(pair, "copy");
        expect(hydrated.digest).toBe(taken.digest);
      });
    }),
    { numRuns: RUNS },
  );
});

test("deltas on deltas hydrate as the last state, afresh, in place and from a base", {
  timeout: 3 * TIMEOUT_MS,
}, async () => {
  await fc.assert(
    fc.asyncProperty(anyTree, fc.array(anyChanges, { maxLength: 3 }), async (tree, rounds) => {
      await withPair(async (pair) => {
        growTree(pair.source, tree);
        let taken = await pair.snapshot();
        await pair.hydrateTo("warm", taken.snapshotId);
        await pair.hydrateTo("base", taken.snapshotId);
        for (const changes of rounds) {
          changeTree(pair.source, changes);
          taken = await pair.snapshot();
          await pair.hydrateTo("warm", taken.snapshotId);
          expectSame(pair, "warm");
        }
        const fresh = await pair.hydrateTo("fresh", taken.snapshotId);
        expectSame(pair, "fresh");
        expect(fresh.digest).toBe(taken.digest);
        await pair.hydrateTo("based", taken.snapshotId, { base: "base" });
        expectSame(pair, "based");
      });
    }),
    { numRuns: RUNS },
  );
});

test("a copy that was changed behind the index's back is put right", {
  timeout: TIMEOUT_MS,
}, async () => {
  await fc.assert(
    fc.asyncProperty(anyTree, anyChanges, anyChanges, async (tree, here, there) => {
      await withPair(async (pair) => {
        growTree(pair.source, tree);
        const first = await pair.snapshot();
        await pair.hydrateTo("copy", first.snapshotId);
        changeTree(pair.pathOf("copy"), there);
        changeTree(pair.source, here);
        const second = await pair.snapshot();
        await pair.hydrateTo("copy", second.snapshotId);
        expectSame(pair, "copy");
      });
    }),
    { numRuns: RUNS },
  );
});

test("the digest is of the content alone: found by delta or afresh, it is the same", {
  timeout: TIMEOUT_MS,
}, async () => {
  await fc.assert(
    fc.asyncProperty(anyTree, anyChanges, async (tree, changes) => {
      await withPair(async (pair) => {
        growTree(pair.source, tree);
        await pair.snapshot();
        changeTree(pair.source, changes);
        const delta = await pair.snapshot();
        rmSync(pair.indexOf("source"));
        const afresh = await pair.snapshot();
        expect(afresh.digest).toBe(delta.digest);
        await pair.hydrateTo("copy", afresh.snapshotId);
        expectSame(pair, "copy");
      });
    }),
    { numRuns: RUNS },
  );
});

test("37, 39, 40: a tree that is written to while it is copied is sealed as it then is", {
  timeout: 3 * TIMEOUT_MS,
}, async () => {
  const disturber = openDisturber();
  try {
    await fc.assert(
      fc.asyncProperty(anyTreeCase, (tree) => checkTree(tree, disturber)),
      { numRuns: RUNS },
    );
  } finally {
    await disturber.stop();
  }
});

test("the judges see a difference where there is one", async () => {
  await withPair(async (pair) => {
    const [tree = []] = fc.sample(
      anyTree.filter((specs) => specs.length > 5),
      1,
    );
    growTree(pair.source, tree);
    cpSync(pair.source, pair.pathOf("copy"), { recursive: true });
    expect(rsyncDifferences(pair.source, pair.pathOf("copy"))).not.toBe("");
    expect(describeTree(pair.pathOf("copy"))).not.toEqual(describeTree(pair.source));
  });
});
