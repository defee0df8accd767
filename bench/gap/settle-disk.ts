/**
 * Waits until the disk has worked off what a volume's filling or its last move left it: with client, store
 * and both nodes on one disk a move would be measured with the writes of the one before.
 */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { runCommand } from "../../infra/lab/command.ts";

const LOOK_MS = 1_000;
/** Share of the time in which somebody waited for the disk; the load alone makes some. */
const CALM = 0.2;
const CALM_LOOKS = 3;
const TIMEOUT_MS = 60_000;

/** After a minute it goes on all the same. */
export const settleDisk = async (signal: AbortSignal): Promise<void> => {
  await runCommand(["sync"], {}, signal);
  const endMs = performance.now() + TIMEOUT_MS;
  for (let calm = 0, before = stalledMs(); calm < CALM_LOOKS && performance.now() < endMs; ) {
    await sleep(LOOK_MS, undefined, { signal });
    const now = stalledMs();
    calm = now - before < LOOK_MS * CALM ? calm + 1 : 0;
    before = now;
  }
};

/** Since boot; see Documentation/accounting/psi.rst. 0 where the kernel does not count it. */
const stalledMs = (): number => {
  try {
    const [, total = "0"] =
      /^some .*total=(\d+)/.exec(readFileSync("/proc/pressure/io", "utf8")) ?? [];
    return Number(total) / 1_000;
  } catch {
    return 0;
  }
};
