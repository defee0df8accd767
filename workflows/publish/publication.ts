/**
 * Publishing a volume: its files as plain objects in the project's bucket. The record says which
 * snapshot's files stand there, which one is on its way, and who brings it: one at a time, for a
 * late write of another would be seen by nobody.
 */
import * as z from "zod";
import { SnapshotId } from "../ids.ts";

export const Publication = z.strictObject({
  /** Grows when what is there became unknown: notes of an earlier one say nothing. */
  generation: z.int().nonnegative(),
  /** Its files are all there, and nothing else is; null: not known what is there. */
  snapshotId: SnapshotId.nullable(),
  /** On its way: what is there is of either. A publisher that takes over goes on with it. */
  target: SnapshotId.nullable(),
  /** Whose turn it is, and until when if it is not heard of again. */
  claim: z.strictObject({ attempt: z.string(), untilMs: z.int() }).nullable(),
  /** Why it stopped, with the head that it stopped at: a newer one is tried again. */
  failure: z
    .strictObject({ head: SnapshotId.nullable(), reason: z.string(), atMs: z.int() })
    .nullable(),
});
export type Publication = z.infer<typeof Publication>;

export const UNPUBLISHED: Publication = {
  generation: 0,
  snapshotId: null,
  target: null,
  claim: null,
  failure: null,
};
