/**
 * The rules that are explored, in one place, so that a broken variant can stand in for one of them.
 * The first five are the project's own functions; the others say in which order an agent and a Docker
 * daemon do what the functions in functions/ and agent/ do.
 */
import { decide } from "../../workflows/deploy/decide.ts";
import { assignNode } from "../../workflows/node/assignment.ts";
import { findOwnCopy } from "../../workflows/node/own-copy.ts";
import { isStartAllowed, reconcile } from "../../workflows/node/reconcile.ts";

export type SealEffect = "fence" | "close" | "stop" | "rename" | "snapshot" | "report";

export interface Rules {
  readonly decide: typeof decide;
  readonly assignNode: typeof assignNode;
  readonly reconcile: typeof reconcile;
  readonly isStartAllowed: typeof isStartAllowed;
  readonly findOwnCopy: typeof findOwnCopy;
  readonly sealOrder: readonly SealEffect[];
  /** What Docker does with containers that ran when the machine went down. */
  readonly restartPolicy: "no" | "always";
  /** What a container of the running version starts from after a crash. */
  readonly restartFrom: "disk" | "head";
}

export const REAL_RULES: Rules = {
  decide,
  assignNode,
  reconcile,
  isStartAllowed,
  findOwnCopy,
  sealOrder: ["fence", "close", "stop", "rename", "snapshot", "report"],
  restartPolicy: "no",
  restartFrom: "disk",
};
