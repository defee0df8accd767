/**
 * The clone of a file stays while the file goes on, and where they differ is noted. Whatever the file
 * has been through, also what it was before once more, the next snapshot finds every change.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { linuxFileSystem } from "../adapters/linux.ts";
import { describeTree } from "../test/trees/describe-tree.ts";
import { onEachFileSystem } from "../test/trees/on-file-systems.ts";
import { anyWrites, applyWrites, type Writes } from "../test/trees/random-writes.ts";
import { propertyRuns } from "../test/trees/test-settings.ts";
import { openVolumePair, PREFIX } from "../test/trees/volume-pair.ts";
import { hydrate } from "./hydrate/hydrate.ts";
import type { ObjectStore } from "./object-store.ts";
import { createCloneMaps } from "./scan/clone-maps.ts";
import { writeSnapshot } from "./write-snapshot.ts";

const PIECE_BYTES = 4_096;
const PIECES = 500;
const FILE_BYTES = 2 * PIECES * PIECE_BYTES;
/** More than may be stale of one clone. */
const LARGE_BYTES = 144 * 2 ** 20;
const { signal } = new AbortController();
/** Every second block: as many extents as pieces. */
const scattered: Writes = Array.from({ length: PIECES }, (_, n) => ({
  offset: 2 * n * PIECE_BYTES,
  bytes: PIECE_BYTES,
  kind: "write",
}));

interface Round {
  readonly writes: Writes;
  /** The snapshot before this one comes to nothing. */
  readonly isLost: boolean;
  readonly isStill: boolean;
  /** A tool has moved the clones' data meanwhile. */
  readonly isMoved: boolean;
}

const anyRound: fc.Arbitrary<Round> = fc.record({
  writes: anyWrites(FILE_BYTES),
  isLost: fc.boolean(),
  isStill: fc.constantFrom(true, true, false),
  isMoved: fc.boolean(),
});

const DEFRAGMENT = { xfs: ["xfs_fsr"], btrfs: ["btrfs", "filesystem", "defragment", "-f"] };

const moveClones = (kind: "xfs" | "btrfs", directory: string): void => {
  const [program = "", ...options] = DEFRAGMENT[kind];
  for (const name of readdirSync(directory)) {
    execFileSync(program, [...options, join(directory, name)], { stdio: "ignore" });
  }
};

onEachFileSystem((kind, root) => {
  test("a clone that is older than its file, here or after a hydrate, hides no change", {
    timeout: 120_000,
  }, async () => {
    const check = async (rounds: readonly Round[]) => {
      const pair = openVolumePair(root());
      try {
        const file = join(pair.source, "file");
        for (const name of ["still", "afresh", "there"]) mkdirSync(join(pair.scratch, name));
        applyWrites(file, scattered, "w");
        const common = { prefix: PREFIX, epoch: 1, fileSystem: linuxFileSystem };
        const take = (name: string, round: string, from: Partial<From>) => {
          const indexFile = join(pair.scratch, name, "index");
          const id = `${name}-${round}`;
          const own = { snapshotId: id, attempt: id, indexFile, parentIndexFile: indexFile };
          const place = { directory: pair.source, store: pair.store, parent: null };
          return writeSnapshot({ ...common, ...place, ...own, ...from }, signal);
        };
        let parent: string | null = null;
        const cloneMaps = createCloneMaps();
        for (const [n, { writes, isLost, isStill, isMoved }] of [first, ...rounds].entries()) {
          if (isMoved && kind !== "ext4") moveClones(kind, join(pair.scratch, "still", "clones"));
          applyWrites(file, writes);
          const isRound = !isStill;
          const lost = { store: losing(pair.store), parent, isStill, cloneMaps };
          if (isLost) await expect(take("still", `lost-${n}`, lost)).rejects.toThrow("lost");
          const still = await take("still", `${n}`, { parent, isStill, isRound, cloneMaps });
          parent = still.snapshotId;
          expect(still.digest).toBe((await take("afresh", `${n}`, {})).digest);
          const there = { directory: pair.pathOf("there"), indexFile: pair.indexOf("there") };
          const wanted = { store: pair.store, prefix: PREFIX, snapshotId: parent, base: null };
          await hydrate({ ...wanted, ...there, fileSystem: linuxFileSystem }, signal);
          expect(describeTree(pair.pathOf("there"))).toEqual(describeTree(pair.source));
          if (n === 0) applyWrites(join(pair.pathOf("there"), "file"), [SAVE]);
        }
        // What the hydrates left: no change is missed, and nothing is taken for changed.
        const directory = pair.pathOf("there");
        applyWrites(join(directory, "file"), [BRING_BACK]);
        const back = await take("there", "back", { directory, parent, isStill: true });
        expect(back.digest).toBe((await take("afresh", "back", { directory })).digest);
        const same = await take("there", "same", { directory, parent: back.snapshotId });
        expect(same.changedBytes).toBe(0);
        applyWrites(join(directory, "file"), [{ offset: 5, bytes: 7, kind: "write" }]);
        const changed = await take("there", "changed", { directory, parent: same.snapshotId });
        expect(changed.changedBytes).toBeGreaterThan(0);
      } finally {
        pair.remove();
      }
    };
    await fc.assert(fc.asyncProperty(fc.array(anyRound, { minLength: 1, maxLength: 4 }), check), {
      numRuns: propertyRuns(4),
      examples: [
        [[small]],
        [[rewritten, { ...rewritten, isStill: false }, rewritten]],
        [[{ ...small, writes: [SAVE, ...small.writes] }, reverted]],
        [
          [
            { ...small, writes: [SAVE, { ...SAVE, offset: FILE_BYTES / 2, kind: "cut" }] },
            reverted,
          ],
        ],
      ],
    });
  });

  test("sealing a volume, and bringing a warm copy up to it, make no clone anew", async () => {
    const pair = openVolumePair(root());
    const clonesOf = (name: string) => {
      const directory = join(pair.scratch, name, "clones");
      return existsSync(directory) ? readdirSync(directory) : [];
    };
    try {
      const file = join(pair.source, "file");
      applyWrites(file, scattered, "w");
      await pair.hydrateTo("there", (await pair.snapshot()).snapshotId);
      const before = ["source", "there"].map(clonesOf);
      expect(before.map(({ length }) => length)).toEqual(kind === "ext4" ? [0, 0] : [1, 1]);
      applyWrites(file, small.writes);
      const { snapshotId, storedBytes } = await pair.snapshot({ isStill: true });
      await pair.hydrateTo("there", snapshotId);
      expect(["source", "there"].map(clonesOf)).toEqual(before);
      // Too much of it is stale: it is read each time, and a new one is worth its price.
      const rest = { offset: 0, bytes: FILE_BYTES, kind: "write" };
      for (let at = 0; at < LARGE_BYTES; at += FILE_BYTES) {
        applyWrites(file, [{ ...rest, offset: at }]);
      }
      await pair.hydrateTo("there", (await pair.snapshot({ isStill: true })).snapshotId);
      expect(storedBytes).toBeLessThan(FILE_BYTES);
      const after = ["source", "there"].map(clonesOf);
      if (kind !== "ext4") for (const i of [0, 1]) expect(after[i]).not.toEqual(before[i]);
    } finally {
      pair.remove();
    }
  });
});

const DATABASE_BYTES = 80 * 2 ** 20;

onEachFileSystem((kind, root) => {
  test("of a large file that a round found unchanged, the seal asks for one map, and misses no change", async () => {
    const pair = openVolumePair(root());
    let asked = 0;
    const counting = {
      ...linuxFileSystem,
      extentMap: (fd: number) => {
        asked += 1;
        return linuxFileSystem.extentMap(fd);
      },
    };
    const rounds = { fileSystem: counting };
    try {
      const file = join(pair.source, "file");
      applyWrites(file, [...scattered, { offset: DATABASE_BYTES, bytes: 1, kind: "write" }], "w");
      await pair.snapshot(rounds);
      await pair.snapshot({ ...rounds, isRound: true });
      applyWrites(file, small.writes);
      asked = 0;
      const sealed = await pair.snapshot({ ...rounds, isStill: true });
      expect(asked).toBe(kind === "ext4" ? 0 : 1);
      expect(sealed.changedBytes).toBeGreaterThan(0);
      await pair.hydrateTo("there", sealed.snapshotId);
      expect(describeTree(pair.pathOf("there"))).toEqual(describeTree(pair.source));
      // What a round noted is for the seal after it: a snapshot in between has forgotten it.
      await pair.snapshot({ ...rounds, isRound: true });
      await pair.snapshot(rounds);
      applyWrites(file, [{ offset: 9_000, bytes: 5, kind: "write" }]);
      asked = 0;
      await pair.hydrateTo("there", (await pair.snapshot({ ...rounds, isStill: true })).snapshotId);
      expect(asked).toBe(kind === "ext4" ? 0 : 2);
      expect(describeTree(pair.pathOf("there"))).toEqual(describeTree(pair.source));
    } finally {
      pair.remove();
    }
  });
});

type From = Pick<
  Parameters<typeof writeSnapshot>[0],
  "directory" | "store" | "parent" | "isStill" | "isRound" | "cloneMaps"
>;

const quiet = { isLost: false, isStill: true, isMoved: false };
const first = { ...quiet, writes: [], isStill: false };
const SAVE = { offset: 0, bytes: 0, kind: "save" };
const BRING_BACK = { offset: 0, bytes: 0, kind: "bring back" };
const reverted = { ...quiet, writes: [BRING_BACK] };
const small = { ...quiet, writes: [{ offset: 5, bytes: 7, kind: "write" }], isLost: true };
/** All of it is written anew, over whatever room the moved clones have left. */
const rewritten = {
  ...quiet,
  writes: [
    { offset: 0, bytes: 0, kind: "cut" },
    { offset: 0, bytes: FILE_BYTES, kind: "write" },
  ],
  isMoved: true,
};

/** A store that keeps all but the snapshot itself. */
const losing = (store: ObjectStore): ObjectStore => ({
  ...store,
  put: async (key, ...rest) => {
    if (key.includes("/snapshots/")) throw new Error("lost");
    return store.put(key, ...rest);
  },
});
