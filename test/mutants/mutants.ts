/** All mutants, each known by its place in the list. */
import { DEPLOY_MUTANTS } from "./deploy-mutants.ts";
import type { Mutant } from "./mutant.ts";
import { NODE_MUTANTS } from "./node-mutants.ts";
import { SNAPSHOT_MUTANTS } from "./snapshot-mutants.ts";

export const MUTANTS: readonly Mutant[] = [...DEPLOY_MUTANTS, ...NODE_MUTANTS, ...SNAPSHOT_MUTANTS];
