/**
 * Ends containers without their engine, which may be stuck: signals to each one's first process, with
 * which the kernel ends all others in it. Idempotent.
 */
import type { Clock } from "./clock.ts";
import type { GuardedContainer } from "./guard-file.ts";
import type { Processes } from "./process-identity.ts";

const LOOK_EVERY_MS = 50;

export interface EndContainersPorts {
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
  readonly processes: Processes;
}

/** Resolves when none of them is alive any more. */
export const endContainers = async (
  containers: readonly GuardedContainer[],
  { clock: { monotonicMs, sleep }, processes }: EndContainersPorts,
  signal: AbortSignal,
): Promise<void> => {
  const beganMs = monotonicMs();
  for (const { init } of containers) processes.signal(init, "SIGTERM");
  for (;;) {
    const alive = containers.filter(({ init }) => processes.isAlive(init));
    if (alive.length === 0) return;
    for (const { init, graceMs } of alive) {
      if (monotonicMs() - beganMs >= graceMs) processes.signal(init, "SIGKILL");
    }
    await sleep(LOOK_EVERY_MS, signal);
  }
};
