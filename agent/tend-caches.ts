/**
 * Lets go of copies that nobody can need any more: of each volume the newest sealed copy stays as a
 * warm cache, and staging only while a deploy may use it. What the node sealed before it was given up is
 * kept aside as a branch, and branches are never touched here.
 */
import type { Epoch, ProjectId, VolumeName } from "../workflows/ids.ts";
import { isGivenUp } from "../workflows/node/given-up.ts";
import { isOwnEpoch } from "../workflows/node/own-copy.ts";
import type { ProjectState } from "../workflows/record.ts";
import type { AgentPorts } from "./reconcile-project.ts";

/** Under the staging lock, on a record read inside it: a deploy may begin to stage at any time. */
export const tendCaches = (
  ports: AgentPorts,
  project: ProjectId,
  signal: AbortSignal,
): Promise<void> =>
  ports.locks.run(`stage ${project}`, async () => {
    const loaded = await ports.records.load(project, signal);
    if (loaded !== null && loaded.state.deploy === null) {
      await dropSurplus(ports, project, loaded.state);
    }
  });

const dropSurplus = async (
  ports: AgentPorts,
  project: ProjectId,
  state: ProjectState,
): Promise<void> => {
  for (const volume of await ports.disk.listVolumes(project)) {
    await keepGivenUp(ports, project, volume, state);
    const copies = await ports.disk.listCopies(project, volume);
    const owned = state.volumes[volume];
    const isNeeded = (epoch: Epoch) => owned !== undefined && isOwnEpoch(owned, epoch);
    const caches = copies
      .filter(({ role, epoch }) => role === "sealed" && !isNeeded(epoch))
      .sort((a, b) => b.epoch - a.epoch);
    // A sealed copy without a marker belongs to a drain that came to nothing; the next one decides.
    const surplus = caches.filter(({ marker }) => marker?.snapshotId != null).slice(1);
    const staging = copies.filter(({ role }) => role === "staging" && caches.length > 0);
    for (const { path } of [...surplus, ...staging]) {
      await ports.disk.remove(path);
      ports.log.info({ project, volume, path }, "cache.dropped");
    }
  }
};

const keepGivenUp = async (
  { disk, node, log }: AgentPorts,
  project: ProjectId,
  volume: VolumeName,
  state: ProjectState,
): Promise<void> => {
  const known = state.volumes[volume];
  if (known === undefined) return;
  for (const { role, epoch, marker, path } of await disk.listCopies(project, volume)) {
    const snapshotId = marker?.snapshotId ?? null;
    if (role !== "sealed" || known.owner === node) continue;
    if (!isGivenUp({ epoch, snapshotId }, known, node)) continue;
    await disk.moveCopy(path, disk.pathOf(project, volume, "branch", epoch));
    log.warn({ project, volume, epoch }, "volume.quarantined");
  }
};
