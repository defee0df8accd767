/**
 * Lets go of copies that nobody can need any more: of each volume the copy that was brought up to date
 * last stays as a warm cache, be it sealed or staged. What the node sealed before it was given up is
 * kept aside as a branch, and branches are never touched here.
 */
import type { Copy } from "../adapters/node-disk.ts";
import { dropRetiredInbox, hasInbox } from "../functions/bring-in/stage-inbox.ts";
import { isGivenUpCopy } from "../functions/volume-copies.ts";
import type { Epoch, ProjectId, VolumeName } from "../workflows/ids.ts";
import { isOwnEpoch } from "../workflows/node/own-copy.ts";
import type { ProjectState } from "../workflows/record.ts";
import type { AgentPorts } from "./reconcile-project.ts";

export interface CacheTender {
  /**
   * Nothing where it is under way already: a copy that is being staged may keep it waiting for long.
   * Resolves at its end, whatever came of it.
   */
  tend(state: ProjectState, signal: AbortSignal): Promise<void>;
}

/** `onKept`: a branch is there that the record does not know yet. */
export const createCacheTender = (
  ports: AgentPorts,
  onKept: (project: ProjectId) => void,
): CacheTender => {
  const running = new Set<ProjectId>();
  return {
    tend: async (state, signal) => {
      const { project } = state;
      if (running.has(project)) return;
      running.add(project);
      try {
        if (await tendCaches(ports, state, signal)) onKept(project);
      } catch (error) {
        if (!signal.aborted) ports.log.warn({ project, err: error }, "caches.postponed");
      } finally {
        running.delete(project);
      }
    },
  };
};

/**
 * Under the staging lock, on a record read inside it: a deploy may begin to stage at any time. Mostly
 * there is nothing to do, which is seen without asking the store.
 */
const tendCaches = async (
  ports: AgentPorts,
  seen: ProjectState,
  signal: AbortSignal,
): Promise<boolean> => {
  const { project } = seen;
  if (isEmpty(await findLeftovers(ports, seen))) return false;
  return ports.locks.run(`stage ${project}`, async () => {
    const loaded = await ports.records.load(project, signal);
    if (loaded === null || loaded.state.deploy !== null) return false;
    return tidy(ports, project, await findLeftovers(ports, loaded.state));
  });
};

interface Leftovers {
  /** What this node sealed before it was given up, and the record never heard of: it becomes a branch. */
  readonly givenUp: { readonly volume: VolumeName; readonly epoch: Epoch; readonly path: string }[];
  readonly surplus: { readonly volume: VolumeName; readonly path: string }[];
  /** Of a deploy that came to nothing, or of one that is over. */
  readonly inboxes: string[];
}

const isEmpty = ({ givenUp, surplus, inboxes }: Leftovers): boolean =>
  givenUp.length + surplus.length + inboxes.length === 0;

const findLeftovers = async (
  { disk, node }: Pick<AgentPorts, "disk" | "node">,
  { project, volumes }: ProjectState,
): Promise<Leftovers> => {
  const found: Leftovers = { givenUp: [], surplus: [], inboxes: [] };
  for (const volume of await disk.listVolumes(project)) {
    const known = volumes[volume];
    // Also where the node owns the volume again: that has a newer epoch than what it lost.
    const isLost = (copy: Copy): boolean =>
      known !== undefined && copy.role === "sealed" && isGivenUpCopy(copy, known, node);
    const isNeeded = (epoch: Epoch) => known !== undefined && isOwnEpoch(known, epoch);
    const all = await disk.listCopies(project, volume);
    const copies = all.filter((copy) => !isLost(copy));
    // A sealed copy without a marker belongs to a drain that came to nothing; the next one decides.
    const caches = copies
      .filter(({ role, epoch }) => role === "staging" || (role === "sealed" && !isNeeded(epoch)))
      .filter(({ marker }) => marker?.snapshotId != null)
      .sort((a, b) => writtenAt(b) - writtenAt(a) || b.epoch - a.epoch);
    const broken = copies.filter(({ role, marker }) => role === "staging" && !marker?.snapshotId);
    const gone = [...caches.slice(1), ...(caches.length > 0 ? broken : [])];
    const inbox = disk.inboxPath(project, volume);
    found.givenUp.push(...all.filter(isLost).map(({ epoch, path }) => ({ volume, epoch, path })));
    found.surplus.push(...gone.map(({ path }) => ({ volume, path })));
    if (hasInbox(inbox)) found.inboxes.push(inbox);
  }
  return found;
};

/** True when a copy was set aside, of which nobody knows yet. */
const tidy = async (
  { disk, log }: AgentPorts,
  project: ProjectId,
  { givenUp, surplus, inboxes }: Leftovers,
): Promise<boolean> => {
  for (const { volume, epoch, path } of givenUp) {
    await disk.moveCopy(path, disk.pathOf(project, volume, "branch", epoch));
    log.warn({ project, volume, epoch }, "volume.quarantined");
  }
  for (const inbox of inboxes) {
    await disk.remove(inbox);
    await dropRetiredInbox(inbox);
  }
  for (const { volume, path } of surplus) {
    await disk.remove(path);
    log.info({ project, volume, path }, "cache.dropped");
  }
  return givenUp.length > 0;
};

const writtenAt = ({ marker }: Copy): number => marker?.writtenAtMs ?? 0;
