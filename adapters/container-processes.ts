/**
 * When the last process of a container is gone: the engine says so only after it has taken down the
 * container's network, which may take longer than the stop itself.
 */
import type { Clock } from "./clock.ts";
import type { DockerEngine } from "./docker-engine.ts";
import { identifyProcess, isAlive } from "./process-identity.ts";

export interface ContainerProcesses {
  readonly engine: Pick<DockerEngine, "inspect">;
  readonly clock: Pick<Clock, "sleep">;
}

const LOOK_MS = 5;

/**
 * True once none of them is left: with the first process of its namespace the kernel ends all others,
 * and lets it go last. False where that process is not to be seen, so that the engine's word is needed.
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
