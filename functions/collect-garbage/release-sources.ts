/**
 * Lets go of what clones were made from, once nothing that they retain refers to it any more. No attempt
 * under way can refer to it again: a snapshot counts only on a retained parent.
 */
import { volumePrefix } from "../../adapters/store-keys.ts";
import { reachableObjects } from "../../volume/collect.ts";
import { foreignName } from "../../volume/keys.ts";
import { keysOf } from "../../workflows/keys-of.ts";
import type { ProjectState } from "../../workflows/record.ts";
import { findRoots } from "../../workflows/retention/find-garbage.ts";
import type { VolumePlace } from "../../workflows/snapshots/snapshot-notes.ts";
import { advanceProject } from "../advance-deploy/advance-project.ts";
import type { ControlPorts } from "../control-ports.ts";

/** The sources that were let go of. What only they held is garbage for their project's next collection. */
export const releaseSources = async (
  ports: ControlPorts,
  state: ProjectState,
  signal: AbortSignal,
): Promise<VolumePlace[]> => {
  const { project } = state;
  const released: VolumePlace[] = [];
  for (const volume of keysOf(state.volumes)) {
    const source = state.volumes[volume]?.source ?? null;
    if (source === null) continue;
    const place = { store: ports.store, prefix: volumePrefix(project, volume) };
    const roots = findRoots(state, volume);
    const names = await reachableObjects({ ...place, roots }, signal);
    const there = foreignName(volumePrefix(source.project, source.volume), "");
    if ([...names].some((name) => name.startsWith(there))) continue;
    const by = { project, volume };
    // The pin first: broken off between the two, the next collection does both again.
    const unpin = { type: "snapshot.unpinned" as const, volume: source.volume, by };
    await advanceProject(ports, { project: source.project, input: unpin, resend: false }, signal);
    const detach = { type: "volume.detached-from-source" as const, volume };
    await advanceProject(ports, { project, input: detach, resend: false }, signal);
    released.push({ project: source.project, volume: source.volume });
  }
  return released;
};
