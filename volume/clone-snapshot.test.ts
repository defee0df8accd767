/** A clone begins as what another volume was, copies nothing, and goes its own way. */
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { linuxFileSystem } from "../adapters/linux.ts";
import { describeTree } from "../test/trees/describe-tree.ts";
import { openVolumePair, PREFIX, type VolumePair } from "../test/trees/volume-pair.ts";
import { cloneSnapshot } from "./clone-snapshot.ts";
import { collectGarbage } from "./collect.ts";
import { hydrate } from "./hydrate/hydrate.ts";
import type { DataKeys } from "./sealing.ts";
import { snapshotIsWhole } from "./snapshot-is-whole.ts";
import { verifySnapshot } from "./verify.ts";
import { writeSnapshot } from "./write-snapshot.ts";

const { signal } = new AbortController();
const KEY = { id: "c".repeat(16), secret: randomBytes(32) };
const CLONE = "projects/q/volumes/w";
const THIRD = "projects/r/volumes/x";

const withClone = async (
  keys: DataKeys | undefined,
  use: (pair: VolumePair, directory: string, is: string[]) => Promise<void>,
): Promise<void> => {
  const pair = openVolumePair();
  try {
    writeFileSync(`${pair.source}/first`, randomBytes(100_000));
    mkdirSync(`${pair.source}/below`);
    writeFileSync(`${pair.source}/below/second`, "a text");
    const { snapshotId } = await pair.snapshot({ keys });
    const before = pair.store.objects.size;
    const from = { store: pair.store, prefix: PREFIX, snapshotId, keys };
    const to = { store: pair.store, prefix: CLONE, snapshotId: "clone-1" };
    await cloneSnapshot(from, to, signal);
    await cloneSnapshot(from, to, signal);
    expect(pair.store.objects.size).toBe(before + 1);
    const directory = join(pair.scratch, "clone", "data");
    mkdirSync(join(pair.scratch, "clone"));
    await hydrateClone(pair, "clone-1", directory, keys);
    await use(pair, directory, describeTree(pair.source));
  } finally {
    pair.remove();
  }
};

const hydrateClone = (pair: VolumePair, id: string, directory: string, keys?: DataKeys) =>
  hydrate(
    {
      store: pair.store,
      prefix: CLONE,
      snapshotId: id,
      keys,
      directory,
      indexFile: `${directory}.index`,
      base: null,
      fileSystem: linuxFileSystem,
    },
    signal,
  );

const snapshotClone = (pair: VolumePair, directory: string, keys?: DataKeys) =>
  writeSnapshot(
    {
      store: pair.store,
      prefix: CLONE,
      directory,
      indexFile: `${directory}.index`,
      parentIndexFile: `${directory}.index`,
      snapshotId: "clone-2",
      epoch: 7,
      attempt: "a",
      parent: "clone-1",
      keys,
      fileSystem: linuxFileSystem,
    },
    signal,
  );

test.for([
  ["plain", undefined],
  ["sealed", { current: KEY.id, keys: [KEY] }],
] as const)(
  "a %s clone is what its source was, and its snapshots store only what differs",
  async ([, keys]) => {
    await withClone(keys, async (pair, directory, is) => {
      expect(describeTree(directory)).toEqual(is);
      writeFileSync(`${directory}/third`, randomBytes(5_000));
      const { storedBytes } = await snapshotClone(pair, directory, keys);
      expect(storedBytes).toBeLessThan(20_000);
      const place = { store: pair.store, prefix: CLONE, snapshotId: "clone-2", keys };
      expect(await snapshotIsWhole(place, signal)).toBe(true);
      expect(await verifySnapshot({ ...place, readData: true }, signal)).toMatchObject({
        isWhole: true,
      });
      const again = join(pair.scratch, "again");
      await hydrateClone(pair, "clone-2", again, keys);
      expect(describeTree(again)).toEqual(describeTree(directory));
      // A clone of the clone refers to both volumes.
      const third = { store: pair.store, prefix: THIRD, snapshotId: "clone-3" };
      await cloneSnapshot(place, third, signal);
      expect(await verifySnapshot({ ...place, ...third, readData: true }, signal)).toMatchObject({
        isWhole: true,
      });
    });
  },
);

test("what a clone refers to stays while its source keeps the snapshot, and only then", async () => {
  await withClone(undefined, async (pair) => {
    const place = { store: pair.store, prefix: CLONE, snapshotId: "clone-1", readData: true };
    const collect = (prefix: string, roots: readonly string[]) =>
      collectGarbage(
        {
          ...{ store: pair.store, prefix, roots, currentEpoch: 9, dryRun: false },
          endedAttempts: new Set(),
        },
        signal,
      );
    await collect(CLONE, ["clone-1"]);
    await collect(PREFIX, ["s1"]);
    expect(await verifySnapshot(place, signal)).toMatchObject({ isWhole: true });
    await collect(PREFIX, []);
    expect(await verifySnapshot(place, signal)).toMatchObject({ isWhole: false });
  });
});
