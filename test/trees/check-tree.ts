/**
 * The whole life of a volume with one random tree: copied while it is written to, also through
 * mappings, changed again, sealed when all is quiet, and hydrated afresh, in place and from a base. Each
 * copy is judged twice: by rsync, and by a walk that uses nothing of the engine's.
 */
import { rmSync } from "node:fs";
import * as fc from "fast-check";
import { anyChanges, type ChangeSpec, changeTree } from "./change-tree.ts";
import { describeTree, rsyncDifferences } from "./describe-tree.ts";
import type { Disturber } from "./disturber.ts";
import { anyTree, growTree, type NodeSpec } from "./random-tree.ts";
import { openVolumePair, type VolumePair } from "./volume-pair.ts";

export interface TreeCase {
  readonly tree: readonly NodeSpec[];
  /** Made while the pre-copy of each round reads. */
  readonly meanwhile: readonly (readonly ChangeSpec[])[];
  /** Made between the last pre-copy and the seal. */
  readonly between: readonly ChangeSpec[];
}

export const anyTreeCase: fc.Arbitrary<TreeCase> = fc.record({
  tree: anyTree,
  meanwhile: fc.array(anyChanges, { minLength: 1, maxLength: 2 }),
  between: anyChanges,
});

/** Throws with what differs. `root`: where the scratch directory is made. */
export const checkTree = async (
  { tree, meanwhile, between }: TreeCase,
  disturber: Disturber,
  root?: string,
): Promise<void> => {
  const pair = openVolumePair(root);
  try {
    growTree(pair.source, tree);
    const first = await pair.snapshot();
    for (const name of ["warm", "base"]) await pair.hydrateTo(name, first.snapshotId);
    for (const changes of meanwhile) {
      const disturbed = disturber.disturb({ root: pair.source, changes });
      const copied = await pair.snapshot().finally(() => disturbed);
      await pair.hydrateTo("warm", copied.snapshotId);
    }
    changeTree(pair.source, between);
    const sealed = await pair.snapshot({ isStill: true });
    for (const [name, base] of [["warm"], ["fresh"], ["based", "base"]] as const) {
      const hydrated = await pair.hydrateTo(name, sealed.snapshotId, {
        ...(base !== undefined && { base }),
      });
      if (hydrated.digest !== sealed.digest) throw new Error(`${name}: another digest`);
      judge(pair, name);
    }
    // Found afresh, with no memory of what was there, it is the same snapshot.
    rmSync(pair.indexOf("source"));
    const afresh = await pair.snapshot();
    if (afresh.digest !== sealed.digest) throw new Error("read afresh, it has another digest");
  } finally {
    pair.remove();
  }
};

const judge = (pair: VolumePair, name: string): void => {
  const byRsync = rsyncDifferences(pair.source, pair.pathOf(name));
  if (byRsync !== "") throw new Error(`${name}: rsync would change\n${byRsync}`);
  const [is, shouldBe] = [describeTree(pair.pathOf(name)), describeTree(pair.source)];
  const wrong = shouldBe.filter((line, i) => line !== is[i]);
  if (is.length !== shouldBe.length || wrong.length > 0) {
    throw new Error(
      `${name}: ${is.length} of ${shouldBe.length} objects, not\n${wrong.join("\n")}`,
    );
  }
};
