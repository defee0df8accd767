/** What the process that is killed is asked to do, and at which step it dies. */
import * as z from "zod";

export const VictimRequest = z.strictObject({
  operation: z.enum(["snapshot", "hydrate", "collect"]),
  /** Directory of the object store. */
  store: z.string(),
  snapshotId: z.string(),
  parent: z.string().nullable(),
  /** The copy that is read or hydrated: holds `data` and `index`. */
  copy: z.string(),
  /** The step before which it kills itself; one that never comes: it ends, and prints its steps. */
  killAt: z.int().nonnegative(),
});
export type VictimRequest = z.infer<typeof VictimRequest>;

export const PREFIX = "projects/p/volumes/v";
