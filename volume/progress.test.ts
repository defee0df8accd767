/** Progress goes on inside one large file, never back, and ends at the volume's size. */
import { randomBytes } from "node:crypto";
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { linuxFileSystem } from "../adapters/linux.ts";
import { openVolumePair, PREFIX, type VolumePair } from "../test/trees/volume-pair.ts";
import { hydrate } from "./hydrate/hydrate.ts";
import { writeSnapshot } from "./write-snapshot.ts";

const MIB = 2 ** 20;
const FILE_BYTES = 24 * MIB;
const HOLE_BYTES = 8 * MIB;
const { signal } = new AbortController();
let pair: VolumePair;
beforeEach(() => {
  pair = openVolumePair();
  const file = join(pair.source, "database");
  writeFileSync(file, randomBytes(FILE_BYTES));
  truncateSync(file, FILE_BYTES + HOLE_BYTES);
});
afterEach(() => pair.remove());

const expectToGrow = (told: readonly number[]): void => {
  expect(told).toEqual(told.toSorted((a, b) => a - b));
  expect(told.at(-1)).toBe(FILE_BYTES + HOLE_BYTES);
  const inside = new Set(told.filter((bytes) => bytes > 0 && bytes < FILE_BYTES));
  expect(inside.size).toBeGreaterThan(3);
};

test("of a snapshot and of a hydrate", async () => {
  const common = {
    store: pair.store,
    prefix: PREFIX,
    snapshotId: "s1",
    fileSystem: linuxFileSystem,
  };
  const read: number[] = [];
  const indexFile = pair.indexOf("source");
  await writeSnapshot(
    {
      ...{ ...common, directory: pair.source, indexFile, parentIndexFile: indexFile },
      ...{ epoch: 1, attempt: "a1", parent: null },
      onProgress: ({ bytes }) => read.push(bytes),
    },
    signal,
  );
  expectToGrow(read);
  const placed: number[] = [];
  mkdirSync(dirname(pair.pathOf("copy")));
  await hydrate(
    {
      ...{ ...common, directory: pair.pathOf("copy"), indexFile: pair.indexOf("copy"), base: null },
      onProgress: ({ bytes }) => placed.push(bytes),
    },
    signal,
  );
  expectToGrow(placed);
});
