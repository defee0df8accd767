import { randomUUID } from "node:crypto";
import {
  closeSync,
  fstatSync,
  mkdtempDisposableSync,
  openSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { readBootId } from "./boot-id.ts";
import { createIndex, openDraft, openIndex } from "./local-index.ts";

const SNAPSHOT = { snapshotId: "s", isSealed: false };

// Closing it twice closed whatever file had got its number meanwhile.
test("an index in its place is closed once, although what came after it failed", async () => {
  using folder = mkdtempDisposableSync(path.join(tmpdir(), "bagage-index-"));
  const index = createIndex(path.join(folder.path, "index"), SNAPSHOT);
  index.end(new Map());
  await index.commit().settled;
  const others = Array.from({ length: 8 }, () => openSync(path.join(folder.path, "index"), "r"));
  index.abandon();
  await setImmediate();
  for (const fd of others) expect(fstatSync(fd).isFile()).toBe(true);
  for (const fd of others) closeSync(fd);
});

test("an index counts at once; before it is known to be on the disk, as long as it is whole", async () => {
  using folder = mkdtempDisposableSync(path.join(tmpdir(), "bagage-index-"));
  const file = path.join(folder.path, "index");
  const packs = new Map([["pack", 7]]);
  const readPacks = (open = openIndex) => {
    const index = open(file);
    if (index === null) return null;
    expect([...index.segments()]).toEqual([]);
    index.close();
    return index.packs();
  };
  const index = createIndex(file, SNAPSHOT);
  index.end(packs);
  const { settled } = index.commit();
  const unsynced = readFileSync(file);
  expect(readPacks()).toEqual(packs);
  await settled;
  expect(readPacks()).toEqual(packs);
  // A power failure leaves what had reached the disk: all of it, a part, or a size without the bytes.
  writeFileSync(file, unsynced);
  expect(readPacks()).toEqual(packs);
  for (let cut = 0; cut < unsynced.length; cut += 1) {
    const torn = Buffer.from(unsynced).fill(0, cut);
    if (torn.equals(unsynced)) continue;
    writeFileSync(file, torn);
    expect(readPacks()).toBeNull();
    writeFileSync(file, unsynced.subarray(0, cut));
    expect(readPacks()).toBeNull();
  }
});

test("a draft counts in the boot in which it was written", () => {
  using folder = mkdtempDisposableSync(path.join(tmpdir(), "bagage-index-"));
  const [file, draft] = ["index", "draft"].map((name) => path.join(folder.path, name)) as [
    string,
    string,
  ];
  createIndex(file, SNAPSHOT, draft).abandon();
  expect(openIndex(draft)).toBeNull();
  const reader = openDraft(draft);
  expect(reader?.header).toMatchObject({ ...SNAPSHOT, isDurable: false });
  reader?.close();
  const bytes = readFileSync(draft, "latin1");
  expect(bytes).toContain(readBootId());
  writeFileSync(draft, bytes.replace(readBootId(), randomUUID()), "latin1");
  expect(openDraft(draft)).toBeNull();
});
