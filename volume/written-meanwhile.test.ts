/**
 * An application writes while a pre-copy reads, also through a mapping that it never syncs. The final
 * snapshot, after it stopped, equals the disk; the pre-copy must merely not fail.
 */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { linuxFileSystem } from "../adapters/linux.ts";
import { describeTree } from "../test/trees/describe-tree.ts";
import { mapFile } from "../test/trees/map-file.ts";
import { openVolumePair, PREFIX, type VolumePair } from "../test/trees/volume-pair.ts";
import type { FileSystem } from "./file-system.ts";
import { writeSnapshot } from "./write-snapshot.ts";

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

/** What becomes of a name between the look at it and its reading. */
const SWAPS: readonly (readonly [string, (path: string) => void])[] = [
  ["a directory", (path) => mkdirSync(path)],
  ["a named pipe", (path) => linuxFileSystem.makeFifo(Buffer.from(path), 0o600)],
  ["a link", (path) => symlinkSync("elsewhere", path)],
  ["a file", (path) => writeFileSync(path, "new")],
  ["nothing", () => undefined],
];

// A pre-copy failed where a link was replaced by a file, or a file by a directory, under its eyes; and
// it could not be hydrated where the first name of a file with two of them was removed.
test.for(SWAPS)(
  "40: a name that becomes %s while it is looked at does no harm",
  async ([, swap]) => {
    await withPair(undefined, async (pair) => {
      const at = (name: string): string => join(pair.source, name);
      writeFileSync(at("file"), "old");
      writeFileSync(at("linked-1"), "old");
      linkSync(at("linked-1"), at("linked-2"));
      linkSync(at("linked-1"), at("linked-3"));
      symlinkSync("target", at("symlink"));
      mkdirSync(at("directory"));
      const names = ["directory", "file", "linked-1", "symlink"];
      const fileSystem: FileSystem = {
        ...linuxFileSystem,
        statAt: (directoryFd, name) => {
          const stat = linuxFileSystem.statAt(directoryFd, name);
          if (!names.includes(name.toString())) return stat;
          rmSync(at(name.toString()), { recursive: true });
          swap(at(name.toString()));
          return stat;
        },
      };
      const common = { store: pair.store, prefix: PREFIX, epoch: 1, fileSystem };
      const index = { indexFile: pair.indexOf("source"), parentIndexFile: pair.indexOf("source") };
      const { signal } = new AbortController();
      const live = { snapshotId: "live", attempt: "live", directory: pair.source, parent: null };
      await writeSnapshot({ ...common, ...index, ...live }, signal);
      await pair.hydrateTo("warm", "live");
      const { snapshotId } = await pair.snapshot();
      await pair.hydrateTo("warm", snapshotId);
      expect(describeTree(pair.pathOf("warm"))).toEqual(describeTree(pair.source));
    });
  },
);
