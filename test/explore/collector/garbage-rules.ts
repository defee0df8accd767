/** The rules of garbage that are explored, in one place, so that a broken variant can stand in for one. */
import { isGarbage } from "../../../volume/is-garbage.ts";
import { decide } from "../../../workflows/deploy/decide.ts";
import { garbageRule } from "../../../workflows/retention/find-garbage.ts";

/** The first three are the project's own functions; the others say what the engine does. */
export interface GarbageRules {
  readonly decide: typeof decide;
  readonly garbageRule: typeof garbageRule;
  readonly isGarbage: typeof isGarbage;
  /** Whether a snapshot may refer to any object that is there, whoever wrote it. */
  readonly refersTo: "own and parent's" | "what is there";
  /** Whether a second try of one piece of work writes under keys of its own. */
  readonly keys: "never used twice" | "used again";
  /** Whether a clone pins what it begins as before it refers to it. */
  readonly clonePins: boolean;
  /** Whether a report of an older number of the volume's sequence is one that nobody awaits. */
  readonly isNumberAsked: boolean;
}

export const REAL_GARBAGE_RULES: GarbageRules = {
  decide,
  garbageRule,
  isGarbage,
  refersTo: "own and parent's",
  keys: "never used twice",
  clonePins: true,
  isNumberAsked: true,
};
