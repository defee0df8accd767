/** What an operator says of a project, apart from what its repository says. */
import * as z from "zod";
import { PlacementConstraint } from "./container-spec.ts";
import { NodeId } from "./ids.ts";

export const ProjectSettings = z.strictObject({
  repository: z.string(),
  /** The ref whose pushes deploy, in full: `refs/heads/main`. */
  ref: z.string().startsWith("refs/"),
  /** Path of the project file in the repository. */
  file: z.string(),
  /** Nodes the project may use; empty: all. */
  nodes: z.array(NodeId),
  constraints: z.array(PlacementConstraint),
});
export type ProjectSettings = z.infer<typeof ProjectSettings>;
