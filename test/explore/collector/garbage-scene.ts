/** What the moves of the world of objects have in common. */
import { VolumeName } from "../../../workflows/ids.ts";
import type { ProjectState } from "../../../workflows/record.ts";
import type { GarbageRules } from "./garbage-rules.ts";
import type { GarbageMove, GarbageWorld } from "./garbage-world.ts";

export interface GarbageScene {
  readonly record: ProjectState;
  readonly world: GarbageWorld;
  readonly rules: GarbageRules;
  readonly uploadsMax: number;
  /** A name for what is written now: nothing that anybody remembers bears it. */
  readonly token: string;
}

export type Move = GarbageMove<ProjectState>;

/** The volume that everything here is about. */
export const VOLUME = VolumeName.parse("data");
