/** Starts the process that fills a volume, and waits for what it says. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { LazyEvent, type LazyRequest } from "./lazy-request.ts";

const CHILD = fileURLToPath(new URL("lazy-child.ts", import.meta.url));
/** One waits for events all the time; the others write. */
const UV_THREADPOOL_SIZE = "16";

export interface LazyRun {
  readonly child: ChildProcess;
  next<T extends LazyEvent["type"]>(type: T): Promise<Extract<LazyEvent, { type: T }>>;
  kill(): Promise<void>;
}

export const runLazy = (request: LazyRequest, requestFile: string): LazyRun => {
  writeFileSync(requestFile, JSON.stringify(request), { mode: 0o600 });
  const child = spawn(process.execPath, [CHILD, requestFile], {
    env: { ...process.env, UV_THREADPOOL_SIZE },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    child,
    next: async (type) => {
      const { value, done } = await lines.next();
      const event = done === true ? undefined : LazyEvent.parse(JSON.parse(value));
      if (event?.type === type) return event as Extract<LazyEvent, { type: typeof type }>;
      throw new Error(`the filler said ${JSON.stringify(event)} instead of ${type}`);
    },
    kill: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
};
