/** What a project with a key stores can't be read, moved or changed by whoever only has the store. */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { anyChanges, changeTree } from "../test/trees/change-tree.ts";
import { describeTree } from "../test/trees/describe-tree.ts";
import { anyTree, growTree } from "../test/trees/random-tree.ts";
import { propertyRuns } from "../test/trees/test-settings.ts";
import { openVolumePair, PREFIX, type VolumePair } from "../test/trees/volume-pair.ts";
import { cloneSnapshot } from "./clone-snapshot.ts";
import { collectGarbage } from "./collect.ts";
import { type DataKey, seal, unseal } from "./sealing.ts";
import { snapshotIsWhole } from "./snapshot-is-whole.ts";
import { verifySnapshot } from "./verify.ts";

const { signal } = new AbortController();
const makeKey = (digit: string): DataKey => ({ id: digit.repeat(16), secret: randomBytes(32) });
const [OLD, NEW] = [makeKey("a"), makeKey("b")];
const KEYS = { current: OLD.id, keys: [OLD] };

const withPair = async (use: (pair: VolumePair) => Promise<void>): Promise<void> => {
  const pair = openVolumePair();
  try {
    await use(pair);
  } finally {
    pair.remove();
  }
};

test("what was sealed comes back whole, also as a delta on a delta", async () => {
  await fc.assert(
    fc.asyncProperty(anyTree, anyChanges, async (tree, changes) => {
      await withPair(async (pair) => {
        growTree(pair.source, tree);
        await pair.snapshot({ keys: KEYS });
        changeTree(pair.source, changes);
        const { snapshotId, digest } = await pair.snapshot({ keys: KEYS });
        const is = describeTree(pair.source);
        expect((await pair.hydrateTo("copy", snapshotId, { keys: KEYS })).digest).toBe(digest);
        expect(describeTree(pair.pathOf("copy"))).toEqual(is);
      });
    }),
    { numRuns: propertyRuns(4) },
  );
});

const SECRET_NAME = "a-name-that-nobody-may-read";
const SECRET_TEXT = "a text that nobody may read, however often it is written. ";

const withSecrets = (use: (pair: VolumePair, snapshotId: string) => Promise<void>) =>
  withPair(async (pair) => {
    writeFileSync(`${pair.source}/${SECRET_NAME}`, SECRET_TEXT.repeat(3));
    writeFileSync(
      `${pair.source}/noise`,
      Buffer.concat([randomBytes(90_000), Buffer.from(SECRET_TEXT)]),
    );
    await use(pair, (await pair.snapshot({ keys: KEYS })).snapshotId);
  });

test("no name and no data stand readable in any object", async () => {
  await withSecrets(async ({ store }) => {
    expect(store.objects.size).toBeGreaterThan(2);
    for (const [key, body] of store.objects) {
      expect(key).not.toContain(SECRET_NAME);
      for (const text of [SECRET_NAME, SECRET_TEXT, SECRET_TEXT.slice(3, 15)]) {
        expect(body.includes(text)).toBe(false);
      }
    }
  });
});

test("without its key a snapshot is refused, and the error names the key and the setting", async () => {
  await withSecrets(async (pair, id) => {
    await expect(pair.hydrateTo("copy", id)).rejects.toMatchObject({
      code: "key-missing",
      message: expect.stringContaining(OLD.id),
      hint: expect.stringContaining("BAGAGE_KEY"),
    });
    const keys = { current: NEW.id, keys: [NEW] };
    await expect(pair.hydrateTo("copy", id, { keys })).rejects.toMatchObject({
      code: "key-missing",
    });
    const wrong = { current: OLD.id, keys: [{ id: OLD.id, secret: randomBytes(32) }] };
    await expect(pair.hydrateTo("copy", id, { keys: wrong })).rejects.toMatchObject({
      code: "seal-broken",
    });
  });
});

test("without a key the store's keeper can check that all is there, and collect", async () => {
  await withSecrets(async (pair, id) => {
    const place = { store: pair.store, prefix: PREFIX, snapshotId: id };
    expect(await snapshotIsWhole(place, signal)).toBe(true);
    const before = pair.store.objects.size;
    const options = { store: pair.store, prefix: PREFIX, currentEpoch: 2, dryRun: false };
    await collectGarbage({ ...options, roots: [id], endedAttempts: new Set() }, signal);
    expect(pair.store.objects.size).toBe(before);
    await collectGarbage({ ...options, roots: [], endedAttempts: new Set() }, signal);
    expect(pair.store.objects.size).toBe(0);
  });
});

test("a box opens only at the place that it was sealed for", () => {
  const box = seal(OLD, "frame a/p-0 0", Buffer.from("data"));
  expect(unseal(KEYS, "frame a/p-0 0", box).toString()).toBe("data");
  for (const place of ["frame a/p-0 1", "frame a/p-1 0", "frame b/p-0 0", "segment a/p-0 0"]) {
    expect(() => unseal(KEYS, place, box)).toThrow(/not of this place/);
  }
  expect(() => unseal(KEYS, "frame a/p-0 0", box.subarray(0, 20))).toThrow(/not of this place/);
});

test("objects of another snapshot, volume or project in the place of its own are found out", async () => {
  await withSecrets(async (pair, id) => {
    writeFileSync(`${pair.source}/${SECRET_NAME}`, SECRET_TEXT.repeat(4));
    const { snapshotId: second } = await pair.snapshot({ keys: KEYS });
    const { objects } = pair.store;
    const first = objects.get(`${PREFIX}/snapshots/${id}`) ?? Buffer.alloc(0);
    const kept = new Map(objects);
    objects.set(`${PREFIX}/snapshots/${second}`, first);
    await expect(pair.hydrateTo("copy", second, { keys: KEYS })).rejects.toThrow();
    // All of the volume, as it is, at another prefix.
    const elsewhere = PREFIX.replace("projects/p", "projects/q");
    for (const [key, body] of kept) objects.set(key.replace(PREFIX, elsewhere), body);
    const place = { store: pair.store, prefix: elsewhere, snapshotId: id, keys: KEYS };
    const report = await verifySnapshot({ ...place, readData: true }, signal);
    expect(report.isWhole).toBe(false);
  });
});

test("after a new data key old snapshots stay readable, and new data are under the new one", async () => {
  await withSecrets(async (pair, first) => {
    const both = { current: NEW.id, keys: [NEW, OLD] };
    writeFileSync(`${pair.source}/later`, "written later");
    const { snapshotId: second } = await pair.snapshot({ keys: both });
    await pair.hydrateTo("one", first, { keys: both });
    await pair.hydrateTo("two", second, { keys: both });
    expect(describeTree(pair.pathOf("two"))).toEqual(describeTree(pair.source));
    const only = { current: NEW.id, keys: [NEW] };
    await expect(pair.hydrateTo("three", second, { keys: only })).rejects.toMatchObject({
      code: "key-missing",
      message: expect.stringContaining(OLD.id),
    });
  });
});

test("once sealing has ended new data are plain, and what was sealed stays readable", async () => {
  await withSecrets(async (pair, sealed) => {
    writeFileSync(`${pair.source}/later`, "written later");
    const off = { current: null, keys: [OLD] };
    const { snapshotId: plain } = await pair.snapshot({ keys: off });
    await pair.hydrateTo("sealed", sealed, { keys: off });
    await pair.hydrateTo("plain", plain);
    expect(describeTree(pair.pathOf("plain"))).toEqual(describeTree(pair.source));
    const place = { store: pair.store, prefix: PREFIX, snapshotId: sealed, keys: off };
    await cloneSnapshot(place, { ...place, prefix: `${PREFIX}x`, snapshotId: "c" }, signal);
    await pair.hydrateTo("clone", "c", { keys: off, prefix: `${PREFIX}x` });
    expect(describeTree(pair.pathOf("clone"))).toEqual(describeTree(pair.pathOf("sealed")));
  });
});

test("the first snapshot under a key refers to nothing that is not sealed", async () => {
  await withPair(async (pair) => {
    writeFileSync(`${pair.source}/${SECRET_NAME}`, SECRET_TEXT);
    await pair.snapshot();
    const plain = new Set(pair.store.objects.keys());
    const { snapshotId } = await pair.snapshot({ keys: KEYS });
    for (const key of plain) pair.store.objects.delete(key);
    await pair.hydrateTo("copy", snapshotId, { keys: KEYS });
    expect(describeTree(pair.pathOf("copy"))).toEqual(describeTree(pair.source));
  });
});
