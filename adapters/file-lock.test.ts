import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { acquireFileLock } from "./file-lock.ts";

let directory = "";

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "file-lock-"));
});
afterEach(() => rm(directory, { recursive: true }));

/** A process of its own that holds the lock until it is killed. */
const holdElsewhere = async (path: string) => {
  const script = `
    const { acquireFileLock } = await import(${JSON.stringify(`${import.meta.dirname}/file-lock.ts`)});
    await acquireFileLock(${JSON.stringify(path)});
    console.log("held");
    setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ["--input-type=module", "-e", script]);
  await once(holder.stdout, "data");
  return holder;
};

test("a second holder in the same process is refused until the first releases", async () => {
  const path = join(directory, "agent.lock");
  const first = await acquireFileLock(path);
  await expect(acquireFileLock(path)).rejects.toMatchObject({
    code: "lock-held",
    data: { pid: process.pid },
  });
  await first.release();
  await (await acquireFileLock(path)).release();
});

test("36: the second of two agents is told the first one's pid", async () => {
  const path = join(directory, "agent.lock");
  const holder = await holdElsewhere(path);
  await expect(acquireFileLock(path)).rejects.toMatchObject({
    name: "TerminalError",
    code: "lock-held",
    data: { pid: holder.pid },
  });
  holder.kill("SIGKILL");
  await once(holder, "exit");
});

test("a killed holder leaves no lock behind, nor do its children keep it", async () => {
  const path = join(directory, "agent.lock");
  const held = await acquireFileLock(path);
  const child = spawn("sleep", ["60"], { stdio: "ignore" });
  await once(child, "spawn");
  await held.release();
  const holder = await holdElsewhere(path);
  holder.kill("SIGKILL");
  await once(holder, "exit");
  await (await acquireFileLock(path)).release();
  child.kill("SIGKILL");
});
