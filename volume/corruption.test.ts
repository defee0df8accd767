/** Damage to any stored object is found before a damaged byte counts as hydrated. */
import { createHash, randomBytes } from "node:crypto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { anyChanges, changeTree } from "../test/trees/change-tree.ts";
import { describeTree } from "../test/trees/describe-tree.ts";
import { anyTree, growTree } from "../test/trees/random-tree.ts";
import { propertyRuns } from "../test/trees/test-settings.ts";
import { openVolumePair, PREFIX, type VolumePair } from "../test/trees/volume-pair.ts";
import { reachableObjects } from "./collect.ts";
import { listEntries } from "./list-entries.ts";
import { readContent } from "./read-content.ts";
import type { SnapshotPlace } from "./snapshot.ts";
import { verifySnapshot } from "./verify.ts";

const RUNS = propertyRuns(3);
const { signal } = new AbortController();
const TIMEOUT_MS = 60_000 + RUNS * 5_000;

type Damage = "flip" | "truncate" | "empty" | "swap" | "lose";

const anyDamage: fc.Arbitrary<{
  readonly kind: Damage;
  readonly at: number;
  readonly bit: number;
}> = fc.record({
  kind: fc.constantFrom<Damage>("flip", "flip", "flip", "truncate", "empty", "swap", "lose"),
  at: fc.nat(),
  bit: fc.nat(7),
});

/** The damaged body, or null for an object that is gone. */
const damage = (
  body: Buffer,
  others: readonly Buffer[],
  { kind, at, bit }: { readonly kind: Damage; readonly at: number; readonly bit: number },
): Buffer | null => {
  switch (kind) {
    case "flip": {
      const copy = Buffer.from(body);
      const index = at % body.length;
      copy[index] = (copy[index] ?? 0) ^ (1 << bit);
      return copy;
    }
    case "truncate":
      return body.subarray(0, at % body.length);
    case "empty":
      return Buffer.alloc(0);
    case "swap":
      return others[at % Math.max(1, others.length)] ?? null;
    case "lose":
      return null;
  }
};

/** A volume with two snapshots, the second a delta on the first. */
const withRepository = async (
  tree: Parameters<typeof growTree>[1],
  changes: Parameters<typeof changeTree>[1],
  use: (pair: VolumePair, last: string) => Promise<void>,
): Promise<void> => {
  const pair = openVolumePair();
  try {
    growTree(pair.source, tree);
    await pair.snapshot();
    changeTree(pair.source, changes);
    const { snapshotId } = await pair.snapshot();
    await use(pair, snapshotId);
  } finally {
    pair.remove();
  }
};

test("8: a damaged object fails the hydrate, or the result is right without it", {
  timeout: TIMEOUT_MS,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      anyTree.filter((tree) => tree.length > 3),
      anyChanges,
      fc.array(anyDamage, { minLength: 5, maxLength: 5 }),
      async (tree, changes, damages) => {
        await withRepository(tree, changes, async (pair, last) => {
          const whole = describeTree(pair.source);
          for (const [key, body] of [...pair.store.objects]) {
            const others = [...pair.store.objects.values()].filter((other) => !other.equals(body));
            for (const kind of damages) {
              const broken = damage(body, others, kind);
              if (broken === null) pair.store.objects.delete(key);
              else pair.store.objects.set(key, broken);
              const outcome = await pair.hydrateTo("copy", last).then(
                () => describeTree(pair.pathOf("copy")),
                (error: unknown) => (error instanceof Error ? "refused" : "thrown"),
              );
              if (outcome !== "refused") expect(outcome).toEqual(whole);
              pair.store.objects.set(key, body);
            }
          }
        });
      },
    ),
    { numRuns: RUNS },
  );
});

const KEY = { id: "e".repeat(16), secret: randomBytes(32) };

test.for([
  ["plain", undefined],
  ["sealed", { current: KEY.id, keys: [KEY] }],
] as const)(
  "8, 10: an object that the %s snapshot needs can't be damaged unnoticed",
  {
    timeout: TIMEOUT_MS,
  },
  async ([, keys]) => {
    await fc.assert(
      fc.asyncProperty(
        anyTree.filter((tree) => tree.some((node) => node.kind === "file")),
        fc.nat(),
        fc.nat(7),
        async (tree, at, bit) => {
          const pair = openVolumePair();
          try {
            growTree(pair.source, tree);
            const { snapshotId } = await pair.snapshot({ keys });
            for (const [key, body] of [...pair.store.objects]) {
              const broken = damage(body, [], { kind: "flip", at, bit });
              if (broken !== null) pair.store.objects.set(key, broken);
              await expect(pair.hydrateTo("copy", snapshotId, { keys }), key).rejects.toThrow();
              pair.store.objects.set(key, body);
            }
            await pair.hydrateTo("copy", snapshotId, { keys });
          } finally {
            pair.remove();
          }
        },
      ),
      { numRuns: RUNS },
    );
  },
);

test("8: verify names the files that damage hits, and all others can be restored", {
  timeout: TIMEOUT_MS,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      anyTree.filter((tree) => tree.some((node) => node.kind === "file")),
      anyChanges,
      fc.array(anyDamage, { minLength: 4, maxLength: 4 }),
      async (tree, changes, damages) => {
        await withRepository(tree, changes, async (pair, snapshotId) => {
          const place = { store: pair.store, prefix: PREFIX, snapshotId };
          const needed = await reachableObjects({ ...place, roots: [snapshotId] }, signal);
          const whole = await readAll(place);
          for (const [key, body] of [...pair.store.objects]) {
            const others = [...pair.store.objects.values()].filter((other) => !other.equals(body));
            for (const broken of damages.map((one) => damage(body, others, one))) {
              if (broken?.equals(body) === true) continue;
              if (broken === null) pair.store.objects.delete(key);
              else pair.store.objects.set(key, broken);
              const report = await verifySnapshot({ ...place, readData: true }, signal);
              expect(report.isWhole, key).toBe(!needed.has(key.slice(PREFIX.length + 1)));
              const named = new Set(report.problems.flatMap(({ paths }) => paths));
              // Without its tree a snapshot has no files that could be named.
              const isTree = !/\/p-\d+$/.test(key);
              if (!isTree) expect(named).toEqual(differing(whole, await readAll(place)));
              pair.store.objects.set(key, body);
            }
          }
        });
      },
    ),
    { numRuns: RUNS },
  );
});

/** Digests of the files' content by path; null for those that can't be read. */
const readAll = async (place: SnapshotPlace): Promise<Map<string, string | null>> => {
  const found = new Map<string, string | null>();
  for await (const entry of listEntries(place, signal)) {
    if (entry.type !== "file") continue;
    const digest = createHash("sha256");
    const read = async (): Promise<string> => {
      for await (const part of readContent(place, entry, signal)) digest.update(part);
      return digest.digest("hex");
    };
    found.set(entry.path.toString(), await read().catch(() => null));
  }
  return found;
};

const differing = (
  before: ReadonlyMap<string, string | null>,
  after: ReadonlyMap<string, string | null>,
): Set<string> =>
  new Set([...before].flatMap(([path, is]) => (after.get(path) === is ? [] : [path])));
