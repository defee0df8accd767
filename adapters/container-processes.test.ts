import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { startEndedFirstThread } from "../test/ended-first-thread.ts";
import { systemClock } from "./clock.ts";
import { untilProcessesGone } from "./container-processes.ts";
import type { ContainerView } from "./docker-engine.ts";
import { identifyProcess, isAlive, signalProcess } from "./process-identity.ts";

const signal = AbortSignal.timeout(60_000);
const view: ContainerView = {
  ...{ id: "1", name: "web", state: "running", exitCode: 0, addresses: [], health: "none" },
  ...{ startedAtMs: 1, pid: null, labels: {}, mounts: [] },
};
const look = (pid: number | null) =>
  untilProcessesGone(
    { engine: { inspect: async () => ({ ...view, pid }) }, clock: systemClock },
    "web",
    signal,
  );

test("it is gone when its first process is, and not before", async () => {
  const child = spawn("sleep", ["60"]);
  await once(child, "spawn");
  let isGone = false;
  const gone = look(child.pid ?? 0).then((seen) => {
    isGone = true;
    return seen;
  });
  await sleep(20);
  expect(isGone).toBe(false);
  child.kill();
  expect(await gone).toBe(true);
});

test("a process whose first thread has ended lives for as long as another one runs", async () => {
  const { pid = 0 } = await startEndedFirstThread();
  const identity = identifyProcess(pid);
  expect(identity?.pid).toBe(pid);
  if (identity === undefined) return;
  signalProcess(identity, "SIGKILL");
  while (isAlive(identity)) await sleep(5);
});

test("a zombie is gone, whether or not its parent ever asks for it", async () => {
  // The program that takes the shell's place never asks for the child that it got with it.
  const parent = spawn("sh", ["-c", "sleep 60 & echo $!; exec sleep 60"]);
  const [said] = (await once(parent.stdout, "data")) as [Buffer];
  const pid = Number(said.toString());
  const child = identifyProcess(pid);
  if (child === undefined) throw new Error("it lives for a minute");
  process.kill(pid);
  while (isAlive(child)) await sleep(5);
  expect(readFileSync(`/proc/${pid}/stat`, "utf8").split(" ").at(2)).toBe("Z");
  parent.kill();
});

test("what does not run, or can't be seen, is for the engine to tell", async () => {
  expect(await look(null)).toBe(false);
  expect(await look(2 ** 22)).toBe(false);
});
