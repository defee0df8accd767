/** Runs a program and tells what it took: time, processor time, and the peak of its memory. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { setInterval } from "node:timers";

export interface Measured {
  readonly wallMs: number;
  /** Peak resident memory, sampled from the kernel's own high-water mark. */
  readonly peakBytes: number;
  readonly stdout: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

const SAMPLE_MS = 50;

/** Throws with the end of what the program said when it fails. */
export const measure = async (
  command: string,
  argv: readonly string[],
  { env = {}, cwd }: RunOptions,
  signal: AbortSignal,
): Promise<Measured> => {
  const began = performance.now();
  const child = spawn(command, argv, {
    env: { ...process.env, ...env },
    ...(cwd !== undefined && { cwd }),
    stdio: ["ignore", "pipe", "pipe"],
    signal,
  });
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (data: Buffer) => {
    output.stdout += data.toString();
  });
  child.stderr.on("data", (data: Buffer) => {
    output.stderr += data.toString();
  });
  let peakBytes = 0;
  const sampler = setInterval(() => {
    peakBytes = Math.max(peakBytes, peakOf(child.pid));
  }, SAMPLE_MS);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", resolve);
    });
    if (code !== 0) {
      const said = `${output.stdout}${output.stderr}`.slice(-2_000);
      throw new Error(`${command} ${argv.join(" ")} ended with ${code}: ${said}`);
    }
    return { wallMs: performance.now() - began, peakBytes, stdout: output.stdout };
  } finally {
    clearInterval(sampler);
  }
};

/** VmHWM of proc_pid_status(5); 0 once the process is gone. */
const peakOf = (pid: number | undefined): number => {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1_024;
  } catch {
    return 0;
  }
};
