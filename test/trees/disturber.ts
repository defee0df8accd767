/** Changes a tree at the same time as something else goes on: the test's side of its thread. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { ChangeSpec } from "./change-tree.ts";

export interface Disturbance {
  readonly root: string;
  readonly changes: readonly ChangeSpec[];
}

export interface Disturber {
  /** Begins at once; resolves when all changes are made. */
  disturb(disturbance: Disturbance): Promise<void>;
  stop(): Promise<void>;
}

export const openDisturber = (): Disturber => {
  const worker = new Worker(new URL("./disturb-thread.ts", import.meta.url));
  return {
    disturb: async (disturbance) => {
      const done = once(worker, "message");
      worker.postMessage(disturbance);
      await done;
    },
    stop: async () => {
      await worker.terminate();
    },
  };
};
