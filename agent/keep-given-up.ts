/** What this node sealed before it was given up, and the record never heard of, becomes a branch. */

import type { Epoch, VolumeName } from "../workflows/ids.ts";
import { keysOf } from "../workflows/keys-of.ts";
import { isGivenUp } from "../workflows/node/given-up.ts";
import type { ProjectState } from "../workflows/record.ts";
import type { AgentPorts } from "./reconcile-project.ts";

interface GivenUp {
  readonly volume: VolumeName;
  readonly epoch: Epoch;
  readonly path: string;
}

/** Also where the node owns the volume again: what it owns then has a newer epoch than what it lost. */
export const findGivenUp = async (
  { disk, node }: Pick<AgentPorts, "disk" | "node">,
  { project, volumes }: ProjectState,
): Promise<GivenUp[]> => {
  const found: GivenUp[] = [];
  for (const volume of keysOf<VolumeName>(volumes)) {
    const known = volumes[volume];
    if (known === undefined) continue;
    for (const { role, epoch, marker, path } of await disk.listCopies(project, volume)) {
      const snapshotId = marker?.snapshotId ?? null;
      const isIt = role === "sealed" && isGivenUp({ epoch, snapshotId }, known, node);
      if (isIt) found.push({ volume, epoch, path });
    }
  }
  return found;
};

/** True when one was set aside, of which nobody knows yet. */
export const keepGivenUp = async (
  ports: Pick<AgentPorts, "disk" | "node" | "log">,
  state: ProjectState,
): Promise<boolean> => {
  const { project } = state;
  const found = await findGivenUp(ports, state);
  for (const { volume, epoch, path } of found) {
    await ports.disk.moveCopy(path, ports.disk.pathOf(project, volume, "branch", epoch));
    ports.log.warn({ project, volume, epoch }, "volume.quarantined");
  }
  return found.length > 0;
};
