/** What the benchmark asks of the process that fills a volume, and what that says. */
import * as z from "zod";
import { EngineRequest } from "../engine-request.ts";

export const LazyRequest = EngineRequest.pick({
  s3: true,
  prefix: true,
  snapshotId: true,
  directory: true,
}).extend({
  /** False: whoever reads waits for ever. */
  fills: z.boolean(),
});
export type LazyRequest = z.infer<typeof LazyRequest>;

export const LazyEvent = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready"), ms: z.number() }),
  z.object({
    type: z.literal("complete"),
    ms: z.number(),
    /** Accesses that waited for an answer, the filler's own writes among them. */
    events: z.int(),
    /** Frames that were fetched because somebody waited for them. */
    demanded: z.int(),
  }),
]);
export type LazyEvent = z.infer<typeof LazyEvent>;
