/** The walk in large directories, which threads look at ahead of it. */
import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { linuxFileSystem } from "../../adapters/linux.ts";
import { comparePaths } from "../entry.ts";
import type { FileStat } from "../file-system.ts";
import { type Found, walk } from "./walk.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bagage-walk-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** More than one group. */
const LARGE = 2_500;
const fill = (directory: string, count: number): void => {
  mkdirSync(directory, { recursive: true });
  for (let i = 0; i < count; i += 1) writeFileSync(join(directory, `f${i}`), "x".repeat(i % 7));
};
const openBelowRoot = (): string[] =>
  readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(root) ? [path] : [];
    } catch {
      return [];
    }
  });
const fields = ({ kind, mode, uid, gid, nlink, dev, ino, size, ctimeNs, mtimeNs }: FileStat) => ({
  ...{ kind, mode, uid, gid, nlink, dev, ino, size, ctimeNs, mtimeNs },
});
const collect = async (onFound: (found: Found) => void = () => undefined): Promise<Buffer[]> => {
  const paths: Buffer[] = [];
  for await (const group of walk(root, linuxFileSystem)) {
    for (const found of group) {
      paths.push(found.path);
      onFound(found);
    }
  }
  return paths;
};

test("everything is found once, in the tree's order, as the file system has it", async () => {
  fill(join(root, "large"), LARGE);
  for (let i = 60; i < 75; i += 1) fill(join(root, "many", `d${i}`, "below"), i);
  writeFileSync(Buffer.concat([Buffer.from(`${root}/large/`), Buffer.of(0xff, 0x01)]), "");
  symlinkSync("nowhere", join(root, "large", "link"));
  execFileSync("mkfifo", [join(root, "large", "pipe")]);
  const stats: { seen: object[]; asked: object[] } = { seen: [], asked: [] };
  const seen = await collect(({ directoryFd, name, stat }) => {
    stats.seen.push(fields(stat));
    stats.asked.push(fields(linuxFileSystem.statAt(directoryFd, name)));
  });
  expect(stats.seen).toEqual(stats.asked);
  const listed = execFileSync("find", [root, "-mindepth", "1", "-printf", "%P\\0"]);
  const wanted = listed.toString("latin1").split("\0").slice(0, -1);
  expect(seen.slice(1).map((path) => path.toString("latin1"))).toHaveLength(wanted.length);
  expect(new Set(seen.slice(1).map((path) => path.toString("latin1")))).toEqual(new Set(wanted));
  expect(seen.toSorted(comparePaths)).toEqual(seen);
  expect(openBelowRoot()).toEqual([]);
});

test("what goes away meanwhile is left out, and what was opened ahead of it is closed", async () => {
  fill(join(root, "a"), 2 * LARGE);
  for (let i = 0; i < 9; i += 1) fill(join(root, `d${i}`), 100);
  const seen = await collect(({ path }) => {
    if (path.toString() !== "a/f0") return;
    rmSync(join(root, "a"), { recursive: true });
    rmSync(join(root, "d7"), { recursive: true });
  });
  const names = seen.map((path) => path.toString());
  expect(names).toContain("d8/f99");
  expect(names).not.toContain("d7/f0");
  expect(names.filter((name) => name.startsWith("a/")).length).toBeLessThan(2 * LARGE);
  expect(openBelowRoot()).toEqual([]);
});

test("a walk that is left early closes all that it has open", async () => {
  for (let i = 0; i < 9; i += 1) fill(join(root, `d${i}`), 100);
  for await (const group of walk(root, linuxFileSystem)) {
    if (group.some(({ path }) => path.toString() === "d1/f0")) break;
  }
  expect(openBelowRoot()).toEqual([]);
});
