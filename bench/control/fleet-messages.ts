/** What the process of the simulated nodes and the benchmark tell each other. */
import * as z from "zod";

/** Requests by kind, such as `get` or `ReceiveMessage`. */
export const Counts = z.record(z.string(), z.number());
export type Counts = z.infer<typeof Counts>;

export const FleetMessage = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("ready") }),
  /** A node read a record in which this deploy had ended. */
  z.strictObject({
    kind: z.literal("ended"),
    project: z.string(),
    deployId: z.string(),
    result: z.string(),
    endedAtMs: z.number(),
    /** For how long the engine was at this project's volumes since its last deploy ended. */
    dataMs: z.number(),
  }),
  z.strictObject({
    kind: z.literal("counts"),
    /** Of the nodes' functions; of the engine below them; of the queues. */
    ...{ nodes: Counts, engine: Counts, queues: Counts },
  }),
]);
export type FleetMessage = z.infer<typeof FleetMessage>;

export const count = (counts: Counts, kind: string): void => {
  counts[kind] = (counts[kind] ?? 0) + 1;
};

/** What came to it since. */
export const since = (before: Counts, now: Counts): Counts =>
  Object.fromEntries(
    Object.entries(now)
      .map(([kind, n]) => [kind, n - (before[kind] ?? 0)] as const)
      .filter(([, n]) => n !== 0),
  );

export const total = (counts: Counts): number =>
  Object.values(counts).reduce((sum, n) => sum + n, 0);

export const addCounts = (...all: readonly Counts[]): Counts => {
  const sums: Counts = {};
  for (const counts of all) {
    for (const [kind, n] of Object.entries(counts)) sums[kind] = (sums[kind] ?? 0) + n;
  }
  return sums;
};
