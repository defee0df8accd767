import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { placeFile, whyNoPath } from "./place-file.ts";

let scratch: string;
let root: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "bagage-place-"));
  root = join(scratch, "root");
  mkdirSync(root);
  mkdirSync(join(scratch, "outside"));
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

async function* chunks(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}
const place = (path: string, ...texts: string[]) =>
  placeFile(root, { path, body: chunks(...texts), mtimeMs: 1_000_000 });

test("a file appears with its directories, its time, and the rights of the directory above", async () => {
  chownSync(root, 1_000, 1_001);
  chmodSync(root, 0o750);
  await place("a/b/file", "one ", "two");
  expect(readFileSync(join(root, "a/b/file"), "utf8")).toBe("one two");
  const file = statSync(join(root, "a/b/file"));
  expect([file.uid, file.gid, file.mode & 0o777, file.mtimeMs]).toEqual([
    1_000, 1_001, 0o640, 1_000_000,
  ]);
  expect(statSync(join(root, "a")).mode & 0o777).toBe(0o750);
});

test("a file that stands there is replaced, and keeps its owner and mode", async () => {
  writeFileSync(join(root, "file"), "old", { mode: 0o604 });
  chmodSync(join(root, "file"), 0o604);
  chownSync(join(root, "file"), 7, 8);
  await place("file", "new");
  const { uid, gid, mode } = statSync(join(root, "file"));
  expect([uid, gid, mode & 0o777]).toEqual([7, 8, 0o604]);
  expect(readdirSync(root)).toEqual(["file"]);
});

test("no name and no link leads out of the directory", async () => {
  symlinkSync(join(scratch, "outside"), join(root, "link"));
  symlinkSync(join(scratch, "outside", "target"), join(root, "final"));
  mkdirSync(join(root, "directory"));
  for (const path of ["link/file", "final", "directory", "../x", "a//b", "/x", "a/../../x", "."]) {
    await expect(place(path, "x"), path).rejects.toMatchObject({ code: "path-blocked" });
  }
  expect(readdirSync(join(scratch, "outside"))).toEqual([]);
  expect(readdirSync(scratch).sort()).toEqual(["outside", "root"]);
});

test("a body that breaks off leaves nothing", async () => {
  const broken = (async function* () {
    yield Buffer.from("half");
    throw new Error("connection lost");
  })();
  const placing = placeFile(root, { path: "file", body: broken, mtimeMs: 0 });
  await expect(placing).rejects.toThrow("connection lost");
  expect(readdirSync(root)).toEqual([]);
});

test("names that no file system takes are told apart", () => {
  expect(whyNoPath("a/b")).toBeNull();
  expect(whyNoPath(`a/${"x".repeat(256)}`)).toContain("255");
  expect(whyNoPath("a\0b")).toContain("NUL");
});
