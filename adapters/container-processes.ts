/** Processes of containers, found without the engine's help. */
import { readdirSync, readFileSync } from "node:fs";
import type { Clock } from "./clock.ts";
import type { DockerEngine } from "./docker-engine.ts";
import { identifyProcess, isAlive, signalProcess } from "./process-identity.ts";

export interface ContainerProcesses {
  readonly engine: Pick<DockerEngine, "inspect">;
  readonly clock: Pick<Clock, "sleep">;
}

const LOOK_MS = 5;

/**
 * True once none of them is left, which the engine says only after it has taken down the container's
 * network: with the first process of its namespace the kernel ends all others, and lets it go last.
 * False where that process is not to be seen, so that the engine's word is needed.
 */
export const untilProcessesGone = async (
  { engine, clock }: ContainerProcesses,
  name: string,
  signal: AbortSignal,
): Promise<boolean> => {
  const pid = (await engine.inspect(name, signal))?.pid ?? null;
  const first = pid === null ? undefined : identifyProcess(pid);
  if (first === undefined) return false;
  while (isAlive(first)) await clock.sleep(LOOK_MS, signal);
  return true;
};

/**
 * Kills all processes in the control group of the container, by its full id, and waits for their end. For
 * one that does not run by the engine's word: an engine that is killed in the middle of a start leaves
 * what is to become the container's first process, with the volumes mounted.
 */
export const endProcessesOf = async (
  containerId: string,
  clock: Pick<Clock, "sleep">,
  signal: AbortSignal,
): Promise<void> => {
  for (;;) {
    const left = readdirSync("/proc").flatMap((name) => {
      const identity = isInGroup(name, containerId) ? identifyProcess(Number(name)) : undefined;
      return identity === undefined ? [] : [identity];
    });
    if (left.length === 0) return;
    for (const identity of left) signalProcess(identity, "SIGKILL");
    await clock.sleep(LOOK_MS, signal);
  }
};

const isInGroup = (pid: string, containerId: string): boolean => {
  if (!/^\d+$/.test(pid)) return false;
  try {
    return readFileSync(`/proc/${pid}/cgroup`, "utf8").includes(containerId);
  } catch {
    // It is gone.
    return false;
  }
};
