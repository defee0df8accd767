/**
 * The clone of a file that is in many pieces is not made anew but brought up to the file where it
 * differs. Whatever it has been through, the next snapshot finds every change.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { linuxFileSystem } from "../adapters/linux.ts";
import { describeTree } from "../test/trees/describe-tree.ts";
import { onEachFileSystem } from "../test/trees/on-file-systems.ts";
import { anyWrites, applyWrites, type Writes } from "../test/trees/random-writes.ts";
import { propertyRuns } from "../test/trees/test-settings.ts";
import { openVolumePair, PREFIX } from "../test/trees/volume-pair.ts";
import type { FileSystem } from "./file-system.ts";
import { hydrate } from "./hydrate/hydrate.ts";
import type { ObjectStore } from "./object-store.ts";
import { writeSnapshot } from "./write-snapshot.ts";

const PIECE_BYTES = 4_096;
const PIECES = 500;
const FILE_BYTES = 2 * PIECES * PIECE_BYTES;
const { signal } = new AbortController();
/** Every second block: as many extents as pieces. */
const scattered: Writes = Array.from({ length: PIECES }, (_, n) => ({
  offset: 2 * n * PIECE_BYTES,
  bytes: PIECE_BYTES,
  kind: "write",
}));

const anyRound = fc.record({ writes: anyWrites(FILE_BYTES), isLost: fc.boolean() });

onEachFileSystem((kind, root) => {
  test("a clone that was renewed, here or by a hydrate, hides no change", {
    timeout: 120_000,
  }, async () => {
    const renewed = new Set<string>();
    let isHydrating = false;
    const fileSystem: FileSystem = {
      ...linuxFileSystem,
      cloneRange: (...range) => {
        renewed.add(isHydrating ? "hydrate" : "snapshot");
        return linuxFileSystem.cloneRange(...range);
      },
    };
    const check = async (rounds: readonly { writes: Writes; isLost: boolean }[]) => {
      const pair = openVolumePair(root());
      try {
        const file = join(pair.source, "file");
        for (const name of ["still", "afresh", "there"]) mkdirSync(join(pair.scratch, name));
        applyWrites(file, scattered, "w");
        const common = { prefix: PREFIX, epoch: 1, fileSystem };
        const take = (name: string, round: string, from: Partial<From>) => {
          const indexFile = join(pair.scratch, name, "index");
          const id = `${name}-${round}`;
          const own = { snapshotId: id, attempt: id, indexFile, parentIndexFile: indexFile };
          const place = { directory: pair.source, store: pair.store, parent: null };
          return writeSnapshot({ ...common, ...place, ...own, ...from }, signal);
        };
        let parent: string | null = null;
        for (const [n, { writes, isLost }] of [first, ...rounds].entries()) {
          applyWrites(file, writes);
          const isStill = n > 0;
          const lost = { store: losing(pair.store), parent, isStill };
          if (isLost) await expect(take("still", `lost-${n}`, lost)).rejects.toThrow("lost");
          const still = await take("still", `${n}`, { parent, isStill });
          parent = still.snapshotId;
          expect(still.digest).toBe((await take("afresh", `${n}`, {})).digest);
          const there = { directory: pair.pathOf("there"), indexFile: pair.indexOf("there") };
          const wanted = { store: pair.store, prefix: PREFIX, snapshotId: parent, base: null };
          isHydrating = true;
          await hydrate({ ...wanted, ...there, fileSystem }, signal);
          isHydrating = false;
          expect(describeTree(pair.pathOf("there"))).toEqual(describeTree(pair.source));
        }
        // What the hydrates left: nothing is taken for changed, and a change is not missed.
        const directory = pair.pathOf("there");
        const same = await take("there", "same", { directory, parent });
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
      examples: [[[small]]],
    });
    if (kind !== "ext4") expect(renewed).toEqual(new Set(["snapshot", "hydrate"]));
  });
});

type From = Pick<Parameters<typeof writeSnapshot>[0], "directory" | "store" | "parent" | "isStill">;

const first = { writes: [], isLost: false };
/** So few ranges that no clone is made anew. */
const small = { writes: [{ offset: 5, bytes: 7, kind: "write" }], isLost: true };

/** A store that keeps all but the snapshot itself. */
const losing = (store: ObjectStore): ObjectStore => ({
  ...store,
  put: async (key, ...rest) => {
    if (key.includes("/snapshots/")) throw new Error("lost");
    return store.put(key, ...rest);
  },
});
