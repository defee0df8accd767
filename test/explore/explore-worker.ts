/** One exploration on a thread of its own. */
import { parentPort } from "node:worker_threads";
import { explore } from "./explore.ts";
import { openSubject } from "./subjects.ts";

export interface Job {
  readonly scenario: string;
  /** Null: the real rules. */
  readonly variant: string | null;
  readonly statesMax: number;
  readonly canMerge: boolean;
}

parentPort?.on("message", ({ scenario, variant, ...extent }: Job) => {
  parentPort?.postMessage(explore(openSubject(scenario, variant), extent));
});
