/**
 * The lab's long-running programs. Each runs in its own session inside a lab host's network
 * namespace, so that it outlives the process that started it; its identity and its log are files in
 * the lab's directory, so that any process can find, end and start it again.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  identifyProcess,
  isAlive,
  ProcessIdentity,
  signalProcess,
} from "../../adapters/process-identity.ts";
import { TerminalError } from "../../volume/errors.ts";
import { lastLines } from "./command.ts";
import { inNamespace } from "./network.ts";
import { waitUntil } from "./wait-until.ts";

export interface DaemonSpec {
  /** Names its log and its pid file. */
  readonly name: string;
  readonly namespace: string;
  readonly labDirectory: string;
  readonly argv: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
}

const LOG_TAIL_LINES = 25;
/** A killed process is gone as soon as the kernel has closed its files. */
const END_TIMEOUT_MS = 20_000;

/** Starts the program; it runs, but it need not be ready. */
export const startDaemon = (spec: DaemonSpec): ProcessIdentity => {
  const [program, ...args] = inNamespace(spec.namespace, spec.argv);
  const log = openSync(logFile(spec), "a");
  const child = spawn(program, args, {
    detached: true,
    stdio: ["ignore", log, log],
    env: { ...process.env, ...spec.env },
  });
  closeSync(log);
  child.on("error", () => {}); // A program that is missing is seen as a dead process below.
  child.unref();
  const identity = child.pid === undefined ? undefined : identifyProcess(child.pid);
  if (identity === undefined) throw daemonDied(spec);
  writeFileSync(identityFile(spec), JSON.stringify(identity));
  return identity;
};

/**
 * Waits until the probe answers, for as long as the daemon lives.
 * @throws TerminalError `daemon_died` or `daemon_not_ready`, with the end of its log.
 */
export const awaitDaemon = async <T>(
  spec: DaemonSpec,
  probe: () => Promise<T | undefined>,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<T> => {
  const gone = new AbortController();
  const watched = async () => {
    const identity = findDaemon(spec);
    if (identity === undefined || !isAlive(identity)) gone.abort(daemonDied(spec));
    return probe();
  };
  const what = `${spec.name} is ready`;
  return waitUntil(watched, { what, timeoutMs }, AbortSignal.any([signal, gone.signal])).catch(
    (cause: unknown) => {
      signal.throwIfAborted();
      if (gone.signal.aborted) throw gone.signal.reason;
      throw new TerminalError(`${spec.name} is not ready after ${timeoutMs} ms\n${tail(spec)}`, {
        code: "daemon_not_ready",
        hint: `Read ${logFile(spec)}`,
        cause,
      });
    },
  );
};

/** Ends the daemon and waits until it is gone. Idempotent. */
export const endDaemon = async (
  spec: Pick<DaemonSpec, "name" | "labDirectory">,
  how: NodeJS.Signals,
  signal: AbortSignal,
): Promise<void> => {
  const identity = findDaemon(spec);
  if (identity === undefined) return;
  signalProcess(identity, how);
  await waitUntil(
    async () => (isAlive(identity) ? undefined : true),
    { what: `${spec.name} has ended`, timeoutMs: END_TIMEOUT_MS, intervalMs: 20 },
    signal,
  );
};

/** The daemon that was started last under this name, dead or alive. */
export const findDaemon = (
  spec: Pick<DaemonSpec, "name" | "labDirectory">,
): ProcessIdentity | undefined => {
  try {
    return ProcessIdentity.parse(JSON.parse(readFileSync(identityFile(spec), "utf8")));
  } catch {
    return undefined;
  }
};

const daemonDied = (spec: DaemonSpec) =>
  new TerminalError(`${spec.name} ended by itself\n${tail(spec)}`, {
    code: "daemon_died",
    hint: `Read ${logFile(spec)}`,
    data: { argv: spec.argv },
  });

const tail = (spec: DaemonSpec): string =>
  lastLines(readFileSync(logFile(spec), "utf8"), LOG_TAIL_LINES);

const logFile = ({ name, labDirectory }: Pick<DaemonSpec, "name" | "labDirectory">) =>
  join(labDirectory, "log", `${name}.log`);

const identityFile = ({ name, labDirectory }: Pick<DaemonSpec, "name" | "labDirectory">) =>
  join(labDirectory, "pid", `${name}.json`);

/**
 * Kills a daemon and tells how it was started, so that `restartDaemon` can start it again as its service
 * manager would. Does not wait for its end: whoever kills has to know what to mend, however long that takes.
 */
export const killDaemon = (
  { name, labDirectory }: Pick<DaemonSpec, "name" | "labDirectory">,
  namespace: string,
): DaemonSpec => {
  const identity = findDaemon({ name, labDirectory });
  const line = identity === undefined ? "" : readFileSync(`/proc/${identity.pid}/cmdline`, "utf8");
  const [program, ...args] = line.split("\0").slice(0, -1);
  if (identity === undefined || program === undefined) {
    throw new TerminalError(`${name} does not run`, { code: "no_daemon" });
  }
  signalProcess(identity, "SIGKILL");
  return { name, labDirectory, namespace, argv: [program, ...args] };
};

/** With the same command line, and with all that it had left behind, once it is gone. */
export const restartDaemon = async (spec: DaemonSpec, signal: AbortSignal): Promise<void> => {
  await endDaemon(spec, "SIGKILL", signal);
  startDaemon(spec);
};
