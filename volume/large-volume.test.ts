/** Volumes that are large in one way each: by size, and by number of files. */
import {
  closeSync,
  mkdirSync,
  openSync,
  readSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { expect, test } from "vitest";
import { describeTree } from "../test/trees/describe-tree.ts";
import { openVolumePair } from "../test/trees/volume-pair.ts";

const SPARSE_BYTES = 200 * 2 ** 30;
const FILES = 4_000;
const FILES_PER_DIRECTORY = 1_000;
const MEMORY_BYTES_MAX = 400 * 2 ** 20;
const TIMEOUT_MS = 240_000;

const residentBytes = (): number => process.memoryUsage().rss;

test("43: a sparse file of 200 GiB comes back exactly, holes and all, in bounded memory", {
  timeout: TIMEOUT_MS,
}, async () => {
  const pair = openVolumePair();
  try {
    const places = [0, 77 * 2 ** 30 + 123, SPARSE_BYTES - 5_000];
    const path = `${pair.source}/sparse`;
    writeFileSync(path, "");
    truncateSync(path, SPARSE_BYTES);
    const fd = openSync(path, "r+");
    for (const at of places) writeSync(fd, Buffer.from(`here, at ${at}`), 0, null, at);
    closeSync(fd);
    const before = residentBytes();
    const { snapshotId, storedBytes } = await pair.snapshot();
    await pair.hydrateTo("copy", snapshotId);
    expect(residentBytes() - before).toBeLessThan(MEMORY_BYTES_MAX);
    expect(storedBytes).toBeLessThan(2 ** 20);
    const copy = `${pair.pathOf("copy")}/sparse`;
    const { size, blocks } = statSync(copy);
    expect(size).toBe(SPARSE_BYTES);
    expect(blocks * 512).toBeLessThan(64 * 2 ** 20);
    const copied = openSync(copy, "r");
    for (const at of places) {
      const expected = `here, at ${at}`;
      const bytes = Buffer.alloc(expected.length);
      readSync(copied, bytes, 0, bytes.length, at);
      expect(bytes.toString()).toBe(expected);
    }
    closeSync(copied);
  } finally {
    pair.remove();
  }
});

test("43: many files come back exactly, in bounded memory", { timeout: TIMEOUT_MS }, async () => {
  const pair = openVolumePair();
  try {
    for (let n = 0; n < FILES; n += 1) {
      const directory = `${pair.source}/d${Math.floor(n / FILES_PER_DIRECTORY)}`;
      if (n % FILES_PER_DIRECTORY === 0) mkdirSync(directory);
      writeFileSync(`${directory}/file-${n}`, `content of ${n}`);
    }
    const before = residentBytes();
    const { snapshotId, files } = await pair.snapshot();
    await pair.hydrateTo("copy", snapshotId);
    expect(residentBytes() - before).toBeLessThan(MEMORY_BYTES_MAX);
    expect(files).toBe(FILES);
    expect(describeTree(pair.pathOf("copy"))).toEqual(describeTree(pair.source));
  } finally {
    pair.remove();
  }
});
