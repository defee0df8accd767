/** The snapshot of a branch, as the store has it. */
import type * as z from "zod";
import { volumePrefix } from "../../adapters/store-keys.ts";
import { snapshotIsWhole } from "../../volume/snapshot-is-whole.ts";
import type { Input } from "../../workflows/deploy/messages.ts";
import type { ControlPorts } from "../control-ports.ts";
import type { BranchSaved } from "../messages.ts";

export const readSavedBranch = async (
  { store }: Pick<ControlPorts, "store">,
  { project, volume, node, epoch, snapshot }: z.infer<typeof BranchSaved>,
  signal: AbortSignal,
): Promise<Input> => {
  const prefix = volumePrefix(project, volume);
  const isWhole = await snapshotIsWhole({ store, prefix, snapshotId: snapshot.id }, signal);
  return { type: "branch.saved", volume, node, epoch, snapshot, isWhole };
};
