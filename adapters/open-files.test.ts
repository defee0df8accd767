import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startEndedFirstThread } from "../test/ended-first-thread.ts";
import { processesUsing } from "./open-files.ts";

let root = "";
let directory = "";
const children: ChildProcess[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "open-files-"));
  directory = join(root, "volume");
  await mkdir(join(directory, "deep"), { recursive: true });
  await writeFile(join(directory, "deep", "file"), "x".repeat(8192));
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  }
  await rm(root, { recursive: true });
});

/** A process that says "ready" when it has set itself up. */
const start = async (command: string, args: string[], cwd = "/"): Promise<number> => {
  const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  await once(child.stdout, "data");
  return child.pid ?? 0;
};

const python = (code: string, ...args: string[]) =>
  start("python3", [
    "-c",
    `${code}\nprint("ready", flush=True)\nimport time; time.sleep(60)`,
    ...args,
  ]);

test("a directory that nobody uses has no users, its neighbours do not count", async () => {
  await mkdir(join(root, "volume2"));
  await start("sh", ["-c", "echo ready; exec sleep 60"], join(root, "volume2"));
  expect(await processesUsing(directory)).toEqual([]);
});

test("a process that merely holds a descriptor is found, also through a symlinked path", async () => {
  const file = join(directory, "deep", "file");
  const pid = await python("import sys; f = open(sys.argv[1])", file);
  await symlink(directory, join(root, "link"));
  expect(await processesUsing(join(root, "link"))).toEqual([
    { pid, command: expect.stringContaining("python"), how: "fd" },
  ]);
  // The file's use follows the tree when it is renamed, and goes on after an unlink.
  await rename(directory, join(root, "moved"));
  await rm(join(root, "moved", "deep", "file"));
  expect(await processesUsing(join(root, "moved"))).toMatchObject([{ pid, how: "fd" }]);
});

test("37: a process that only maps a file, its descriptor closed, is found", async () => {
  const code =
    "import mmap, os, sys; f = open(sys.argv[1], 'r+b'); m = mmap.mmap(f.fileno(), 0); f.close(); os.closerange(3, 64)";
  const pid = await python(code, join(directory, "deep", "file"));
  expect(await processesUsing(directory)).toMatchObject([{ pid, how: "map" }]);
});

test("a process with its working directory below is found", async () => {
  const pid = await start("sh", ["-c", "echo ready; exec sleep 60"], join(directory, "deep"));
  const users = await processesUsing(directory);
  expect(users).toContainEqual({ pid, command: "sleep", how: "cwd" });
});

test.runIf(process.getuid?.() === 0)(
  "another mount namespace counts by its mount, and by what it opens under another name",
  async () => {
    const target = join(root, "elsewhere");
    await mkdir(target);
    const script = `mount --bind "$1" "$2" && umount -l "$1" 2>/dev/null; cd /; echo ready; exec sleep 60`;
    const mounted = await start("unshare", ["-m", "sh", "-c", script, "sh", directory, target]);
    expect(await processesUsing(directory)).toContainEqual(
      expect.objectContaining({ pid: mounted, how: "mount" }),
    );
    const opening = `mount --bind "$1" "$2" && exec 3<"$2/deep/file"; echo ready; exec sleep 60`;
    const opened = await start("unshare", ["-m", "sh", "-c", opening, "sh", directory, target]);
    expect(await processesUsing(directory)).toContainEqual(
      expect.objectContaining({ pid: opened, how: "fd" }),
    );
    // A sibling of the mounted directory is not in use.
    await mkdir(join(root, "volume3"));
    expect(await processesUsing(join(root, "volume3"))).toEqual([]);
  },
);

test("28: a process is found by its other threads when its first one has ended", async () => {
  const child = await startEndedFirstThread(join(directory, "deep", "file"));
  children.push(child);
  expect(await processesUsing(directory)).toMatchObject([{ pid: child.pid, how: "fd" }]);
});

test("processes that end while they are looked at, in mount namespaces of their own, are no obstacle", async () => {
  await start("sh", ["-c", "echo ready; while :; do unshare --mount true; done"]);
  const untilMs = performance.now() + 2_000;
  while (performance.now() < untilMs) expect(await processesUsing(directory)).toEqual([]);
});
