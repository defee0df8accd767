/**
 * Runs a program to its end. The lab is made of programs that Debian ships (ip, ceph, tar, apt);
 * each is called by argument list, never through a shell.
 */
import { spawn } from "node:child_process";
import { TerminalError } from "../../volume/errors.ts";

export interface CommandOptions {
  readonly cwd?: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Bytes given as standard input; none means /dev/null. */
  readonly input?: string;
}

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** As much of a failed command's output as its error message repeats. */
const ERROR_TAIL_LINES = 20;

/**
 * Resolves with standard output.
 * @throws TerminalError `command_failed` with the end of what the program printed.
 */
export const runCommand = async (
  argv: readonly [string, ...string[]],
  options: CommandOptions,
  signal: AbortSignal,
): Promise<string> => {
  const { exitCode, stdout, stderr } = await tryCommand(argv, options, signal);
  if (exitCode === 0) return stdout;
  const tail = lastLines(stderr.trim() || stdout.trim(), ERROR_TAIL_LINES);
  throw new TerminalError(`${argv.join(" ")} ended with ${exitCode}: ${tail}`, {
    code: "command_failed",
    data: { argv, exitCode },
  });
};

/**
 * Resolves with the exit code and output, whatever they are; 128 + n when signal n ended it.
 * @throws TerminalError `command_missing` when there is no such program.
 */
export const tryCommand = (
  argv: readonly [string, ...string[]],
  options: CommandOptions,
  signal: AbortSignal,
): Promise<CommandResult> =>
  new Promise((resolve, reject) => {
    const [program, ...args] = argv;
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      signal,
    });
    let stdout = "";
    let stderr = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", (cause) => {
      reject(
        signal.aborted
          ? signal.reason
          : new TerminalError(`${program} did not start`, { code: "command_missing", cause }),
      );
    });
    child.on("close", (code) => resolve({ exitCode: code ?? 128, stdout, stderr }));
    child.stdin?.end(options.input);
  });

/** The last `count` lines of a text. */
export const lastLines = (text: string, count: number): string =>
  text.trimEnd().split("\n").slice(-count).join("\n");
