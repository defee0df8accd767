/** What a deploy keeps of each of its containers. */
import * as z from "zod";

/** What was seen of a container in a deploy, by its node. */
export const ContainerOutcome = z.strictObject({
  stopBeganAtMs: z.int().optional(),
  stoppedAtMs: z.int().optional(),
  stopped: z.enum(["clean", "killed", "absent"]).optional(),
  /** The new one, on its node: the order was read, its data stood, it was created, it was started. */
  orderedAtMs: z.int().optional(),
  materialisedAtMs: z.int().optional(),
  createdAtMs: z.int().optional(),
  startedAtMs: z.int().optional(),
  healthyAtMs: z.int().optional(),
  imageId: z.string().optional(),
});
export type ContainerOutcome = z.infer<typeof ContainerOutcome>;
