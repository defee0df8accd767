/**
 * What changed is found in three ways: by file tuples, by shared extents, by block digests. Whichever
 * a file system allows, the snapshot is the same, and the same as that of a plain read of everything. XFS,
 * btrfs and ext4 are mounted from files where that is possible.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { linuxFileSystem } from "../adapters/linux.ts";
import { describeTree } from "../test/trees/describe-tree.ts";
import { onEachFileSystem } from "../test/trees/on-file-systems.ts";
import { anyWrites, applyWrites } from "../test/trees/random-writes.ts";
import { propertyRuns } from "../test/trees/test-settings.ts";
import { openVolumePair, PREFIX } from "../test/trees/volume-pair.ts";
import type { FileSystem } from "./file-system.ts";
import { CLONE_BYTES_MIN } from "./scan/clones.ts";
import { writeSnapshot } from "./write-snapshot.ts";

const FILE_BYTES = 2 * 2 ** 20;
const { signal } = new AbortController();
const withoutClones: FileSystem = { ...linuxFileSystem, cloneFile: () => false };

onEachFileSystem((kind, root) => {
  test("shared extents, block digests and a plain read find the same content", {
    timeout: 120_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyWrites(FILE_BYTES), { minLength: 1, maxLength: 4 }),
        async (rounds) => {
          const pair = openVolumePair(root());
          try {
            const file = join(pair.source, "file");
            for (const name of ["shared", "blocks", "afresh"]) mkdirSync(join(pair.scratch, name));
            execFileSync("truncate", ["-s", String(FILE_BYTES), file]);
            applyWrites(file, [{ offset: 0, bytes: 1_000_000, kind: "write" }]);
            const take = async (name: string, round: number, fileSystem: FileSystem) => {
              const indexFile = join(pair.scratch, name, "index");
              return writeSnapshot(
                {
                  directory: pair.source,
                  indexFile,
                  parentIndexFile: indexFile,
                  store: pair.store,
                  prefix: PREFIX,
                  snapshotId: `${name}-${round}`,
                  epoch: 1,
                  attempt: `${name}-${round}`,
                  parent: round === 0 ? null : `${name}-${round - 1}`,
                  fileSystem,
                },
                signal,
              );
            };
            for (const [round, writes] of [[], ...rounds].entries()) {
              applyWrites(file, writes);
              const shared = await take("shared", round, linuxFileSystem);
              if (kind !== "ext4" && statSync(file).size >= CLONE_BYTES_MIN) {
                expect(readdirSync(join(pair.scratch, "shared", "clones")).length).toBeGreaterThan(
                  0,
                );
              }
              const blocks = await take("blocks", round, withoutClones);
              expect(shared.digest).toBe(blocks.digest);
              rmSync(join(pair.scratch, "afresh", "index"), { force: true });
              expect((await take("afresh", round, linuxFileSystem)).digest).toBe(blocks.digest);
              if (round > 0) expect(shared.changedBytes).toBeLessThanOrEqual(blocks.changedBytes);
              await pair.hydrateTo(`shared-${round}`, `shared-${round}`);
              expect(describeTree(pair.pathOf(`shared-${round}`))).toEqual(
                describeTree(pair.source),
              );
            }
          } finally {
            pair.remove();
          }
        },
      ),
      { numRuns: propertyRuns(4) },
    );
  });
});
