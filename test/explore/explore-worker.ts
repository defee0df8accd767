/** One exploration on a thread of its own. */
import { parentPort } from "node:worker_threads";
import { explore } from "./explore.ts";
import { REAL_RULES } from "./rules.ts";
import { findScenario } from "./scenarios.ts";
import { findVariant } from "./variants.ts";

export interface Job {
  readonly scenario: string;
  /** Null: the real rules. */
  readonly variant: string | null;
  readonly statesMax: number;
}

parentPort?.on("message", ({ scenario, variant, statesMax }: Job) => {
  const rules = variant === null ? REAL_RULES : findVariant(variant).rules();
  parentPort?.postMessage(explore(findScenario(scenario), rules, statesMax));
});
