/** The machine's own stopwatch: the same for all of its processes, and no one can set it. */
import { uptime } from "node:os";

/**
 * Milliseconds since the boot, time asleep included (CLOCK_BOOTTIME, by way of /proc/uptime): a lease
 * must not outlive its machine's sleep. Good to 10 ms.
 */
export const bootTimeMs = (): number => uptime() * 1_000;
