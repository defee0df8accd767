/**
 * The guard as a process: one for a root, whoever starts it. The agent starts one that ends when there
 * is nothing left to watch; a service manager's (`bagage guard`) stays.
 */
import { bootTimeMs } from "../adapters/boot-time.ts";
import { type Clock, systemClock } from "../adapters/clock.ts";
import { acquireFileLock, type FileLock } from "../adapters/file-lock.ts";
import {
  guardLockPath,
  readGuardOrders,
  removeGuardIdentity,
  writeGuardIdentity,
} from "../adapters/guard-file.ts";
import { identifyProcess, systemProcesses } from "../adapters/process-identity.ts";
import { readBootId } from "../volume/boot-id.ts";
import { TerminalError } from "../volume/errors.ts";
import { endAlive, type GuardPorts, LOOK_EVERY_MS, runGuard } from "./guard.ts";
import { ignoreAbort } from "./ignore-abort.ts";

export const openGuardPorts = (root: string, say: GuardPorts["say"]): GuardPorts => ({
  root,
  bootId: readBootId(),
  bootTimeMs,
  clock: systemClock,
  processes: systemProcesses,
  say,
});

/** Null: another process is this root's guard. */
export const takeGuardLock = async (root: string): Promise<FileLock | null> => {
  try {
    return await acquireFileLock(guardLockPath(root));
  } catch (error) {
    if (error instanceof TerminalError && error.code === "lock-held") return null;
    throw error;
  }
};

export const announceGuard = async (root: string): Promise<void> => {
  const identity = identifyProcess(process.pid);
  if (identity === undefined) throw new Error("this process is not in /proc");
  await writeGuardIdentity(root, identity);
};

/** Guards until the signal aborts, and ends what it watched before it leaves: nobody else does. */
export const serveGuard = async (ports: GuardPorts, signal: AbortSignal): Promise<void> => {
  const lock = await waitForLock(ports, signal);
  if (lock === null) return;
  await announceGuard(ports.root);
  ports.say("guard.started", { root: ports.root });
  while (!signal.aborted) {
    try {
      await runGuard(ports, signal);
    } catch (error) {
      if (!signal.aborted) ports.say("guard.failed", { err: error });
    }
    await sleepUnlessAborted(ports.clock, signal);
  }
  // First said, then looked: a container that is started in between is seen here, or its agent sees
  // that nobody watches it.
  await removeGuardIdentity(ports.root);
  await endWatched(ports);
  await lock.release();
};

const waitForLock = async (
  { root, clock, say }: GuardPorts,
  signal: AbortSignal,
): Promise<FileLock | null> => {
  let isTold = false;
  while (!signal.aborted) {
    const lock = await takeGuardLock(root);
    if (lock !== null) return lock;
    if (!isTold) say("guard.waits", { root, reason: "another process is its guard" });
    isTold = true;
    await sleepUnlessAborted(clock, signal);
  }
  return null;
};

const sleepUnlessAborted = (clock: Pick<Clock, "sleep">, signal: AbortSignal): Promise<void> =>
  clock.sleep(LOOK_EVERY_MS, signal).catch(ignoreAbort(signal));

/** A stopping process takes no signal any more: the containers' own grace bounds this. */
const endWatched = async (ports: GuardPorts): Promise<void> => {
  const { signal } = new AbortController();
  for (;;) {
    const orders = await readGuardOrders(ports.root);
    if (orders === null || orders.bootId !== ports.bootId) return;
    if (!(await endAlive(ports, orders, "guard.leaves", signal))) return;
  }
};
