/** What an operator says of a project, apart from what its repository says. */
import * as z from "zod";
import { PlacementConstraint } from "./container-spec.ts";
import { Subscriber } from "./events/subscriber.ts";
import { NodeId } from "./ids.ts";

/** Each is told of each event by itself. */
const SUBSCRIBERS_MAX = 20;

export const ProjectSettings = z.strictObject({
  repository: z.string(),
  /** The ref whose pushes deploy, in full: `refs/heads/main`. */
  ref: z.string().startsWith("refs/"),
  /** Path of the project file in the repository. */
  file: z.string(),
  /** Nodes the project may use; empty: all. */
  nodes: z.array(NodeId),
  constraints: z.array(PlacementConstraint),
  /** Who is told of what happens. */
  subscribers: z.array(Subscriber).max(SUBSCRIBERS_MAX).optional(),
});
export type ProjectSettings = z.infer<typeof ProjectSettings>;
