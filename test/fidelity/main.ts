/**
 * `npm run fidelity -- --trees 5000 [--seed N] [--on ext4,xfs,btrfs] [--kills]`: the long run of what
 * `npm test` samples: random trees through their whole life (test/trees/check-tree.ts) on each file
 * system, and with --kills a real process killed at every step of a snapshot, a hydrate and a collection.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { type FileSystemKind, mountFileSystem } from "../../bench/loop-mount.ts";
import {
  BENCH_PACKAGES,
  ensureDebianPackages,
  TEST_PACKAGES,
} from "../../infra/lab/debian-packages.ts";
import { readFlags } from "../../infra/read-flags.ts";
import { checkKills, KILL_OPERATIONS } from "../kills/check-kills.ts";
import { anyTreeCase, checkTree } from "../trees/check-tree.ts";
import { type Disturber, openDisturber } from "../trees/disturber.ts";

const KINDS: readonly FileSystemKind[] = ["ext4", "xfs", "btrfs"];
const IMAGE_BYTES = 2 ** 30;
/** Told of how far it is after so many trees. */
const TREES_PER_LINE = 250;

const values = readFlags("fidelity", {
  trees: { type: "string", default: "500" },
  seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
  on: { type: "string", default: KINDS.join(",") },
  kills: { type: "boolean", default: false },
});

const on = async (
  kind: FileSystemKind,
  scratch: string,
  use: (directory: string) => Promise<void>,
): Promise<void> => {
  const mounted = mountFileSystem(kind, scratch, IMAGE_BYTES);
  try {
    await use(mounted.directory);
  } finally {
    await mounted.unmount();
  }
};

const checkTrees = async (
  kind: FileSystemKind,
  directory: string,
  { count, seed, disturber }: { count: number; seed: number; disturber: Disturber },
): Promise<void> => {
  let done = 0;
  const details = await fc.check(
    fc.asyncProperty(anyTreeCase, async (tree) => {
      await checkTree(tree, disturber, directory);
      done += 1;
      if (done % TREES_PER_LINE === 0) console.log(`${kind}: ${done} of ${count} trees`);
    }),
    { numRuns: count, seed, endOnFailure: true },
  );
  if (!details.failed) console.log(`${kind}: ${details.numRuns} trees, none different`);
  else {
    console.error(`${kind}: --seed ${seed}, tree ${details.numRuns}`);
    throw new Error(fc.defaultReportMessage(details), { cause: details.errorInstance });
  }
};

const main = async (): Promise<void> => {
  const { signal } = new AbortController();
  await ensureDebianPackages([...TEST_PACKAGES, ...BENCH_PACKAGES], signal);
  const scratch = mkdtempSync(join(tmpdir(), "bagage-fidelity-"));
  const disturber = openDisturber();
  const kinds = KINDS.filter((kind) => values.on.split(",").includes(kind));
  const seed = Number(values.seed);
  const count = Math.ceil(Number(values.trees) / Math.max(1, kinds.length));
  console.log(`seed ${seed}`);
  try {
    for (const kind of kinds) {
      await on(kind, scratch, async (directory) => {
        await checkTrees(kind, directory, { count, seed, disturber });
      });
    }
    for (const operation of values.kills ? KILL_OPERATIONS : []) {
      const points = await checkKills(operation, { every: 1, scratch });
      console.log(`${operation}: killed at each of ${points} steps, none left anything broken`);
    }
  } finally {
    await disturber.stop();
    rmSync(scratch, { recursive: true, force: true });
  }
};

await main();
