/**
 * Which process is meant, beyond doubt: the kernel gives a pid to another process soon after its
 * owner is gone, but never together with the same start time.
 */
import { readFileSync } from "node:fs";
import * as z from "zod";

export const ProcessIdentity = z.strictObject({
  pid: z.int().positive(),
  /** Clock ticks from boot to the process's start: field 22 of /proc/PID/stat, see proc(5). */
  startTicks: z.int().nonnegative(),
});
export type ProcessIdentity = z.infer<typeof ProcessIdentity>;

/** The process with this pid, or undefined when it is gone or a zombie. */
export const identifyProcess = (pid: number): ProcessIdentity | undefined => {
  const found = readStat(pid);
  return found === undefined || found.state === "Z"
    ? undefined
    : { pid, startTicks: found.startTicks };
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

/** None of its threads is left. Of a zombie some may be: their leader only was the first to end. */
export const isReaped = ({ pid, startTicks }: ProcessIdentity): boolean =>
  readStat(pid)?.startTicks !== startTicks;

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
