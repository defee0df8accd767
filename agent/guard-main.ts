/** The guard's process: `node guard-main.ts ROOT`. Started by the agent, and outlives it. */
import { bootTimeMs, readBootId } from "../adapters/boot-time.ts";
import { systemClock } from "../adapters/clock.ts";
import { acquireFileLock } from "../adapters/file-lock.ts";
import { guardLockPath, writeGuardIdentity } from "../adapters/guard-file.ts";
import { identifyProcess, systemProcesses } from "../adapters/process-identity.ts";
import { TerminalError } from "../volume/errors.ts";
import { runGuard } from "./guard.ts";

const [root] = process.argv.slice(2);
if (root === undefined) throw new Error("no root");
// Whoever read the agent's output may be gone: that must not end the guard.
process.stdout.on("error", () => undefined);
const lock = await acquireFileLock(guardLockPath(root)).catch((error: unknown) => {
  // Another one was quicker.
  if (error instanceof TerminalError && error.code === "lock-held") process.exit(0);
  throw error;
});
const identity = identifyProcess(process.pid);
if (identity === undefined) throw new Error("this process is not in /proc");
await writeGuardIdentity(root, identity);
await runGuard(
  {
    root,
    bootId: readBootId(),
    bootTimeMs,
    clock: systemClock,
    processes: systemProcesses,
    say: (msg, data) => {
      process.stdout.write(`${JSON.stringify({ level: 40, time: Date.now(), ...data, msg })}\n`);
    },
  },
  new AbortController().signal,
);
await lock.release();
