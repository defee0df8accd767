/** What this node sealed before it was given up, and the record never heard of, becomes a branch. */

import type { VolumeName } from "../workflows/ids.ts";
import { keysOf } from "../workflows/keys-of.ts";
import { isGivenUp } from "../workflows/node/given-up.ts";
import type { ProjectState } from "../workflows/record.ts";
import type { AgentPorts } from "./reconcile-project.ts";

type Ports = Pick<AgentPorts, "disk" | "node" | "log">;

/**
 * Also where the node owns the volume again: what it owns then has a newer epoch than what it lost.
 * True when one was set aside, of which nobody knows yet.
 */
export const keepGivenUp = async (
  { disk, node, log }: Ports,
  { project, volumes }: ProjectState,
): Promise<boolean> => {
  let isKept = false;
  for (const volume of keysOf<VolumeName>(volumes)) {
    const known = volumes[volume];
    if (known === undefined) continue;
    for (const { role, epoch, marker, path } of await disk.listCopies(project, volume)) {
      const snapshotId = marker?.snapshotId ?? null;
      if (role !== "sealed" || !isGivenUp({ epoch, snapshotId }, known, node)) continue;
      await disk.moveCopy(path, disk.pathOf(project, volume, "branch", epoch));
      log.warn({ project, volume, epoch }, "volume.quarantined");
      isKept = true;
    }
  }
  return isKept;
};
