import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { anyChanges, changeTree } from "../test/trees/change-tree.ts";
import { describeTree } from "../test/trees/describe-tree.ts";
import { anyTree, growTree } from "../test/trees/random-tree.ts";
import { propertyRuns } from "../test/trees/test-settings.ts";
import { openVolumePair, PREFIX, type VolumePair } from "../test/trees/volume-pair.ts";
import { collectGarbage } from "./collect.ts";

const { signal } = new AbortController();

const collect = (pair: VolumePair, roots: readonly string[], more = {}) =>
  collectGarbage(
    {
      store: pair.store,
      prefix: PREFIX,
      roots,
      currentEpoch: 2,
      endedAttempts: new Set(),
      dryRun: false,
      ...more,
    },
    signal,
  );

test("41: every retained snapshot hydrates as it was, whatever was deleted around it", {
  timeout: 120_000,
}, async () => {
  const rounds = fc.array(anyChanges, { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(anyTree, rounds, fc.nat(30), async (tree, changes, mask) => {
      const pair = openVolumePair();
      try {
        growTree(pair.source, tree);
        const taken = [{ id: (await pair.snapshot()).snapshotId, is: describeTree(pair.source) }];
        for (const change of changes) {
          changeTree(pair.source, change);
          const { snapshotId } = await pair.snapshot();
          taken.push({ id: snapshotId, is: describeTree(pair.source) });
        }
        const kept = taken.filter((_, i) => (mask & (1 << i)) !== 0);
        const ids = kept.map(({ id }) => id);
        const planned = await collect(pair, ids, { dryRun: true });
        const done = await collect(pair, ids);
        expect(done).toEqual(planned);
        for (const { id, is } of kept) {
          await pair.hydrateTo(id, id);
          expect(describeTree(pair.pathOf(id))).toEqual(is);
        }
        if (kept.length === 0) expect(pair.store.objects.size).toBe(0);
        expect((await collect(pair, ids)).deletedObjects).toBe(0);
      } finally {
        pair.remove();
      }
    }),
    { numRuns: propertyRuns(6) },
  );
});

const withSnapshot = async (use: (pair: VolumePair, id: string) => Promise<void>) => {
  const pair = openVolumePair();
  try {
    writeFileSync(`${pair.source}/a`, randomBytes(50_000));
    await use(pair, (await pair.snapshot()).snapshotId);
  } finally {
    pair.remove();
  }
};

test("41: what a running attempt of the current epoch wrote stays, though nothing refers to it", async () => {
  await withSnapshot(async (pair) => {
    const before = pair.store.objects.size;
    await collect(pair, [], { currentEpoch: 1 });
    expect(pair.store.objects.size).toBe(before);
    await collect(pair, [], { currentEpoch: 1, endedAttempts: new Set(["a1"]) });
    expect(pair.store.objects.size).toBe(0);
  });
});

test("nothing is deleted when a retained snapshot is missing or damaged", async () => {
  await withSnapshot(async (pair, id) => {
    const objects = [...pair.store.objects.keys()];
    await expect(collect(pair, [id, "lost"])).rejects.toThrow(/missing/);
    pair.store.objects.set(`${PREFIX}/snapshots/${id}`, Buffer.from("damaged"));
    await expect(collect(pair, [id])).rejects.toThrow();
    expect([...pair.store.objects.keys()]).toEqual(objects);
  });
});

test("objects of unknown kinds are left alone", async () => {
  await withSnapshot(async (pair) => {
    pair.store.objects.set(`${PREFIX}/e1/a1/x-0`, Buffer.from("?"));
    pair.store.objects.set(`${PREFIX}/notes`, Buffer.from("?"));
    await collect(pair, []);
    expect([...pair.store.objects.keys()]).toEqual([`${PREFIX}/e1/a1/x-0`, `${PREFIX}/notes`]);
  });
});
