import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { linuxFileSystem } from "../adapters/linux.ts";
import { openVolumePair, type VolumePair } from "../test/trees/volume-pair.ts";
import { measureDirectory } from "./measure.ts";

const { signal } = new AbortController();
let pair: VolumePair;
beforeEach(() => {
  pair = openVolumePair();
});
afterEach(() => pair.remove());

const at = (name: string) => join(pair.source, name);
const write = (name: string, bytes: number) => writeFileSync(at(name), Buffer.alloc(bytes, name));
const measureAt = (directory: string, indexFile: string | null) =>
  measureDirectory({ directory, indexFile, fileSystem: linuxFileSystem }, signal);
const measure = (indexFile: string | null = pair.indexOf("source")) =>
  measureAt(pair.source, indexFile);

const PASSED_NS = 100_000_000n;

/** A file that was written just before a snapshot is not to be trusted: so time passes first. */
const snapshotLater = async () => {
  const clock = join(pair.scratch, "clock");
  const touch = (): bigint => {
    writeFileSync(clock, "");
    return statSync(clock, { bigint: true }).ctimeNs;
  };
  const end = touch() + PASSED_NS;
  while (touch() < end);
  await pair.snapshot();
};

test("without an index everything is dirty; names of one file, links and directories are not", async () => {
  write("a", 1_000);
  write("b", 500);
  linkSync(at("b"), at("c"));
  symlinkSync("a", at("d"));
  mkdirSync(at("e"));
  const all = { files: 2, bytes: 1_500, dirtyFiles: 2, dirtyBytes: 1_500 };
  expect(await measure(null)).toMatchObject(all);
  expect(await measure()).toMatchObject(all);
});

test("after a snapshot nothing is dirty, and then what was written, added, renamed or touched", async () => {
  for (const name of ["a", "b", "c", "d", "e", "f"]) write(name, 1_000);
  await snapshotLater();
  const files = { files: 6, bytes: 6_000 };
  expect(await measure()).toMatchObject({ ...files, dirtyFiles: 0, dirtyBytes: 0 });
  appendFileSync(at("a"), Buffer.alloc(24));
  rmSync(at("b"));
  write("bb", 2_000);
  renameSync(at("c"), at("cc"));
  const { atime, mtime } = statSync(at("d"));
  write("d", 1_000);
  utimesSync(at("d"), atime, mtime);
  chmodSync(at("e"), 0o600);
  expect(await measure()).toMatchObject({
    files: 6,
    bytes: 7_024,
    dirtyFiles: 5,
    dirtyBytes: 1_024 + 2_000 + 1_000 + 1_000 + 1_000,
  });
});

test("a hydrated copy is clean from its first moment", async () => {
  write("a", 70_000);
  const { snapshotId } = await pair.snapshot();
  await pair.hydrateTo("copy", snapshotId);
  const measureCopy = () => measureAt(pair.pathOf("copy"), pair.indexOf("copy"));
  expect(await measureCopy()).toMatchObject({ files: 1, dirtyFiles: 0 });
  appendFileSync(join(pair.pathOf("copy"), "a"), "x");
  expect(await measureCopy()).toMatchObject({ dirtyFiles: 1, dirtyBytes: 70_001 });
});

test("an abort ends a walk of many files", async () => {
  for (let i = 0; i < 1_001; i += 1) write(`f${i}`, 0);
  const abort = AbortSignal.abort(new Error("enough"));
  const request = { directory: pair.source, indexFile: null, fileSystem: linuxFileSystem };
  await expect(measureDirectory(request, abort)).rejects.toThrow();
});
