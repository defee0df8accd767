/** Sees to it that a guard watches over this node's root; starts one where that is the agent's to do. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Clock } from "../adapters/clock.ts";
import { readGuardIdentity } from "../adapters/guard-file.ts";
import { isAlive } from "../adapters/process-identity.ts";
import type { Config } from "../functions/config.ts";
import { RetryableError } from "../volume/errors.ts";

const MAIN = fileURLToPath(new URL("./guard-main.ts", import.meta.url));
const START_TIMEOUT_MS = 20_000;
const LOOK_EVERY_MS = 50;

export interface GuardedNode {
  readonly root: string;
  /** Who starts the guard: the agent, or a service manager of its own. */
  readonly startedBy: Config["node"]["guard"];
}

/**
 * Resolves when a guard is there. Throws RetryableError `guard-missing` when none comes up: then
 * nothing that needs one may be started.
 */
export const ensureGuard = async (
  { root, startedBy }: GuardedNode,
  { monotonicMs, sleep }: Pick<Clock, "monotonicMs" | "sleep">,
  signal: AbortSignal,
): Promise<void> => {
  if (await isGuarded(root)) return;
  if (startedBy === "agent") startGuard(root);
  const deadlineMs = monotonicMs() + START_TIMEOUT_MS;
  while (!(await isGuarded(root))) {
    if (monotonicMs() > deadlineMs) throw guardMissing(startedBy);
    await sleep(LOOK_EVERY_MS, signal);
  }
};

/** In a session of its own, so that what ends the agent does not end it. */
const startGuard = (root: string): void => {
  const child = spawn(process.execPath, [MAIN, root], {
    detached: true,
    stdio: ["ignore", "inherit", "inherit"],
  });
  child.on("error", () => undefined); // Seen as a guard that never comes up.
  child.unref();
};

const isGuarded = async (root: string): Promise<boolean> => {
  const identity = await readGuardIdentity(root);
  return identity !== null && isAlive(identity);
};

const guardMissing = (startedBy: GuardedNode["startedBy"]): RetryableError =>
  startedBy === "agent"
    ? new RetryableError("the guard of this node does not start", {
        code: "guard-missing",
        hint: "look at the agent's log for its reason",
      })
    : new RetryableError("the guard of this node does not run", {
        code: "guard-missing",
        hint: "start `bagage guard` on this machine, with the agent's BAGAGE_NODE_ROOT",
      });
