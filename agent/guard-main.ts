/** The guard that the agent starts, and that outlives it: `node guard-main.ts ROOT`. */
import { runGuard } from "./guard.ts";
import { announceGuard, openGuardPorts, takeGuardLock } from "./guard-process.ts";

const [root] = process.argv.slice(2);
if (root === undefined) throw new Error("no root");
// Whoever read the agent's output may be gone: that must not end the guard.
process.stdout.on("error", () => undefined);
const lock = await takeGuardLock(root);
// Another one was quicker.
if (lock === null) process.exit(0);
await announceGuard(root);
const ports = openGuardPorts(root, (msg, data) => {
  process.stdout.write(`${JSON.stringify({ level: 40, time: Date.now(), ...data, msg })}\n`);
});
await runGuard(ports, new AbortController().signal);
await lock.release();
