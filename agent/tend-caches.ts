/**
 * Lets go of copies that nobody can need any more: of each volume the copy that was brought up to date
 * last stays as a warm cache, be it sealed or staged. What the node sealed before it was given up is
 * kept aside as a branch, and branches are never touched here.
 */
import type { Copy } from "../adapters/node-disk.ts";
import { dropRetiredInbox } from "../functions/bring-in/stage-inbox.ts";
import type { Epoch, ProjectId } from "../workflows/ids.ts";
import { isOwnEpoch } from "../workflows/node/own-copy.ts";
import type { ProjectState } from "../workflows/record.ts";
import { keepGivenUp } from "./keep-given-up.ts";
import type { AgentPorts } from "./reconcile-project.ts";

export interface CacheTender {
  /** Begins it, unless it is under way: a copy that is being staged may keep it waiting for long. */
  tend(project: ProjectId, signal: AbortSignal): void;
}

/** `onKept`: a branch is there that the record does not know yet. */
export const createCacheTender = (
  ports: AgentPorts,
  onKept: (project: ProjectId) => void,
): CacheTender => {
  const running = new Set<ProjectId>();
  return {
    tend: (project, signal) => {
      if (running.has(project)) return;
      running.add(project);
      tendCaches(ports, project, signal)
        .then((isKept) => isKept && onKept(project))
        .catch((error: unknown) => {
          if (!signal.aborted) ports.log.warn({ project, err: error }, "caches.postponed");
        })
        .finally(() => running.delete(project));
    },
  };
};

/** Under the staging lock, on a record read inside it: a deploy may begin to stage at any time. */
const tendCaches = (ports: AgentPorts, project: ProjectId, signal: AbortSignal): Promise<boolean> =>
  ports.locks.run(`stage ${project}`, async () => {
    const loaded = await ports.records.load(project, signal);
    if (loaded === null || loaded.state.deploy !== null) return false;
    const isKept = await keepGivenUp(ports, loaded.state);
    await dropSurplus(ports, project, loaded.state);
    return isKept;
  });

const dropSurplus = async (
  ports: AgentPorts,
  project: ProjectId,
  state: ProjectState,
): Promise<void> => {
  for (const volume of await ports.disk.listVolumes(project)) {
    const copies = await ports.disk.listCopies(project, volume);
    const owned = state.volumes[volume];
    const isNeeded = (epoch: Epoch) => owned !== undefined && isOwnEpoch(owned, epoch);
    // A sealed copy without a marker belongs to a drain that came to nothing; the next one decides.
    const caches = copies
      .filter(({ role, epoch }) => role === "staging" || (role === "sealed" && !isNeeded(epoch)))
      .filter(({ marker }) => marker?.snapshotId != null)
      .sort((a, b) => writtenAt(b) - writtenAt(a) || b.epoch - a.epoch);
    const broken = copies.filter(({ role, marker }) => role === "staging" && !marker?.snapshotId);
    // Of a deploy that came to nothing, or of one that is over.
    const inbox = ports.disk.inboxPath(project, volume);
    await ports.disk.remove(inbox);
    await dropRetiredInbox(inbox);
    for (const { path } of [...caches.slice(1), ...(caches.length > 0 ? broken : [])]) {
      await ports.disk.remove(path);
      ports.log.info({ project, volume, path }, "cache.dropped");
    }
  }
};

const writtenAt = ({ marker }: Copy): number => marker?.writtenAtMs ?? 0;
