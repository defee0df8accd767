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
import { createIndex, openIndex, readBootId } from "./local-index.ts";

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

/** What is there when the machine has been started anew. */
const afterReboot = (file: string): void => {
  const bytes = readFileSync(file, "latin1");
  expect(bytes).toContain(readBootId());
  writeFileSync(file, bytes.replace(readBootId(), randomUUID()), "latin1");
};

test("an index is good in its boot at once, and in later ones when it has reached the disk", async () => {
  using folder = mkdtempDisposableSync(path.join(tmpdir(), "bagage-index-"));
  const file = path.join(folder.path, "index");
  const write = () => {
    const index = createIndex(file, SNAPSHOT);
    index.end(new Map([["pack", 7]]));
    return index.commit();
  };
  const packsOf = () => {
    const index = openIndex(file);
    if (index === null) return null;
    const segments = [...index.segments()];
    index.close();
    return { segments, packs: index.packs() };
  };
  const whole = { segments: [], packs: new Map([["pack", 7]]) };
  const { settled } = write();
  const before = readFileSync(file);
  expect(packsOf()).toEqual(whole);
  await settled;
  expect(packsOf()).toEqual(whole);
  afterReboot(file);
  expect(packsOf()).toEqual(whole);
  // A power failure may have taken any part of what was not yet said to be on the disk.
  writeFileSync(file, before);
  expect(packsOf()).toEqual(whole);
  afterReboot(file);
  expect(packsOf()).toBeNull();
});
