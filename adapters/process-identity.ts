/**
 * Which process is meant, beyond doubt: the kernel gives a pid to another process soon after its
 * owner is gone, but never together with the same start time.
 */
import { readdirSync, readFileSync } from "node:fs";
import * as z from "zod";

export const ProcessIdentity = z.strictObject({
  pid: z.int().positive(),
  /** Clock ticks from boot to the process's start: field 22 of /proc/PID/stat, see proc(5). */
  startTicks: z.int().nonnegative(),
});
export type ProcessIdentity = z.infer<typeof ProcessIdentity>;

/**
 * The process with this pid, or undefined when none of its threads is left. It has the state of its
 * first thread, and that may be a zombie's while others run on, write and hold files open.
 */
export const identifyProcess = (pid: number): ProcessIdentity | undefined => {
  const found = readStat(pid);
  if (found === undefined || (found.state === "Z" && countThreads(pid) <= 1)) return undefined;
  return { pid, startTicks: found.startTicks };
};

/** The first one counts until the parent has asked for it. */
const countThreads = (pid: number): number => {
  try {
    return readdirSync(`/proc/${pid}/task`).length;
  } catch {
    return 0;
  }
};

const readStat = (pid: number) => {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  // The program's name stands in parentheses and may itself hold any of them: count from the last.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0], startTicks: Number(fields[19]) };
};

export const isAlive = ({ pid, startTicks }: ProcessIdentity): boolean =>
  identifyProcess(pid)?.startTicks === startTicks;

/** What can be known of processes and done to them. */
export interface Processes {
  readonly isAlive: (identity: ProcessIdentity) => boolean;
  readonly signal: (identity: ProcessIdentity, name: NodeJS.Signals) => void;
}

/** Sends the signal unless the process is gone already. */
export const signalProcess = (identity: ProcessIdentity, name: NodeJS.Signals): void => {
  if (!isAlive(identity)) return;
  try {
    process.kill(identity.pid, name);
  } catch (error) {
    if (isAlive(identity)) throw error;
  }
};

export const systemProcesses: Processes = { isAlive, signal: signalProcess };
