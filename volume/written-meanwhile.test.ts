/**
 * An application writes while a pre-copy reads, also through a mapping that it never syncs. The final
 * snapshot, after it stopped, equals the disk; the pre-copy must merely not fail.
 */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { expect, test } from "vitest";
import { describeTree } from "../test/trees/describe-tree.ts";
import { mapFile } from "../test/trees/map-file.ts";
import { openVolumePair, type VolumePair } from "../test/trees/volume-pair.ts";

const FILE_BYTES = 3 * 2 ** 20;

const PASSED_NS = 100_000_000n;

/** Returns when the file system's own clock has moved on. */
const passTime = (directory: string): void => {
  const touch = (): bigint => {
    writeFileSync(`${directory}/clock`, "");
    return statSync(`${directory}/clock`, { bigint: true }).ctimeNs;
  };
  const end = touch() + PASSED_NS;
  while (touch() < end);
};

const withPair = async (
  over: Parameters<typeof openVolumePair>[1],
  use: (pair: VolumePair) => Promise<void>,
): Promise<void> => {
  const pair = openVolumePair(undefined, over);
  try {
    await use(pair);
  } finally {
    pair.remove();
  }
};

const expectFinal = async (pair: VolumePair): Promise<void> => {
  const { snapshotId } = await pair.snapshot();
  await pair.hydrateTo("copy", snapshotId);
  expect(describeTree(pair.pathOf("copy"))).toEqual(describeTree(pair.source));
};

test("37: a store through a mapping whose page was dirty already is not missed", async () => {
  await withPair(undefined, async (pair) => {
    const path = `${pair.source}/mapped`;
    writeFileSync(path, randomBytes(FILE_BYTES));
    await pair.snapshot();
    const map = mapFile(path, FILE_BYTES);
    map.write(5, 1);
    // Long enough ago that its times alone would have the file trusted: only the sync, which makes
    // the next store into the dirty page change them, saves it.
    passTime(pair.scratch);
    await pair.snapshot();
    map.write(6, 2);
    map.write(2 ** 20 + 7, 3);
    await pair.snapshot();
    map.write(6, 4);
    map.end();
    await expectFinal(pair);
  });
});

test("38: a file rewritten with its size and its mtime as before is found", async () => {
  await withPair(undefined, async (pair) => {
    const path = `${pair.source}/rewritten`;
    writeFileSync(path, randomBytes(FILE_BYTES));
    const { atime, mtime } = statSync(path);
    passTime(pair.scratch);
    await pair.snapshot();
    writeFileSync(path, randomBytes(FILE_BYTES));
    utimesSync(path, atime, mtime);
    await expectFinal(pair);
  });
});

test("40: files written, cut, grown, removed and replaced while they are read do no harm", async () => {
  let pair: VolumePair | null = null;
  let round = 0;
  const disturb = (): void => {
    if (pair === null) return;
    round += 1;
    const at = (name: string): string => `${pair?.source}/${name}`;
    const fd = openSync(at("hot"), "a+");
    ftruncateSync(fd, (round * 777_777) % (2 * FILE_BYTES));
    writeSync(fd, randomBytes(100));
    closeSync(fd);
    rmSync(at(`z${round}`), { recursive: true, force: true });
    rmSync(at(`z${round + 1}`), { recursive: true, force: true });
    mkdirSync(at(`z${round + 1}`));
    writeFileSync(at(`y${round}`), randomBytes(10));
  };
  await withPair(
    (store) => ({
      ...store,
      put: (...call) => {
        disturb();
        return store.put(...call);
      },
    }),
    async (opened) => {
      for (const name of ["a", "hot", "m", "z1", "z2", "z3", "z4"]) {
        writeFileSync(`${opened.source}/${name}`, randomBytes(20 * 2 ** 20));
      }
      pair = opened;
      await opened.snapshot();
      await opened.snapshot();
      expect(round).toBeGreaterThan(4);
      pair = null;
      await expectFinal(opened);
    },
  );
});
