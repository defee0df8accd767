/** What the benchmark asks of the engine in its child process, and what that answers. */
import * as z from "zod";

export const EngineRequest = z.strictObject({
  operation: z.enum(["snapshot", "hydrate"]),
  s3: z.object({
    endpoints: z.array(z.string()),
    region: z.string(),
    bucket: z.string(),
    accessKeyId: z.string(),
    secretAccessKey: z.string(),
  }),
  prefix: z.string(),
  snapshotId: z.string(),
  parent: z.string().nullable(),
  directory: z.string(),
  indexFile: z.string(),
  answerFile: z.string(),
  /** Before the snapshot, and not timed: a round of a deploy, and the rows that are rewritten after it. */
  lastRound: z
    .object({ database: z.string(), rows: z.int(), changes: z.int(), seed: z.int() })
    .nullable()
    .default(null),
});
export type EngineRequest = z.infer<typeof EngineRequest>;

export const EngineAnswer = z.object({
  wallMs: z.number(),
  files: z.number(),
  bytes: z.number(),
  changedBytes: z.number().default(0),
  storedBytes: z.number().default(0),
  fetchedBytes: z.number().default(0),
});
export type EngineAnswer = z.infer<typeof EngineAnswer>;
