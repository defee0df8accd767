/**
 * Lets go of copies that nobody can need any more: of each volume the copy that was brought up to date
 * last stays as a warm cache, be it sealed or staged. What the node sealed before it was given up is
 * kept aside as a branch, and branches are never touched here.
 */
import type { Copy } from "../adapters/node-disk.ts";
import { dropRetiredInbox, hasInbox } from "../functions/bring-in/stage-inbox.ts";
import type { Epoch, ProjectId, VolumeName } from "../workflows/ids.ts";
import { isOwnEpoch } from "../workflows/node/own-copy.ts";
import type { ProjectState } from "../workflows/record.ts";
import { findGivenUp, keepGivenUp } from "./keep-given-up.ts";
import type { AgentPorts } from "./reconcile-project.ts";

export interface CacheTender {
  /** Begins it, unless it is under way: a copy that is being staged may keep it waiting for long. */
  tend(state: ProjectState, signal: AbortSignal): void;
}

/** `onKept`: a branch is there that the record does not know yet. */
export const createCacheTender = (
  ports: AgentPorts,
  onKept: (project: ProjectId) => void,
): CacheTender => {
  const running = new Set<ProjectId>();
  return {
    tend: (state, signal) => {
      const { project } = state;
      if (running.has(project)) return;
      running.add(project);
      tendCaches(ports, state, signal)
        .then((isKept) => isKept && onKept(project))
        .catch((error: unknown) => {
          if (!signal.aborted) ports.log.warn({ project, err: error }, "caches.postponed");
        })
        .finally(() => running.delete(project));
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
  const isTidy =
    isEmpty(await findSurplus(ports, seen)) && (await findGivenUp(ports, seen)).length === 0;
  if (isTidy) return false;
  return ports.locks.run(`stage ${project}`, async () => {
    const loaded = await ports.records.load(project, signal);
    if (loaded === null || loaded.state.deploy !== null) return false;
    const isKept = await keepGivenUp(ports, loaded.state);
    const { copies, inboxes } = await findSurplus(ports, loaded.state);
    for (const inbox of inboxes) {
      await ports.disk.remove(inbox);
      await dropRetiredInbox(inbox);
    }
    for (const { volume, path } of copies) {
      await ports.disk.remove(path);
      ports.log.info({ project, volume, path }, "cache.dropped");
    }
    return isKept;
  });
};

interface Surplus {
  readonly copies: { readonly volume: VolumeName; readonly path: string }[];
  /** Of a deploy that came to nothing, or of one that is over. */
  readonly inboxes: string[];
}

const isEmpty = ({ copies, inboxes }: Surplus): boolean => copies.length + inboxes.length === 0;

const findSurplus = async (
  { disk }: Pick<AgentPorts, "disk">,
  { project, volumes }: ProjectState,
): Promise<Surplus> => {
  const surplus: Surplus = { copies: [], inboxes: [] };
  for (const volume of await disk.listVolumes(project)) {
    const copies = await disk.listCopies(project, volume);
    const owned = volumes[volume];
    const isNeeded = (epoch: Epoch) => owned !== undefined && isOwnEpoch(owned, epoch);
    // A sealed copy without a marker belongs to a drain that came to nothing; the next one decides.
    const caches = copies
      .filter(({ role, epoch }) => role === "staging" || (role === "sealed" && !isNeeded(epoch)))
      .filter(({ marker }) => marker?.snapshotId != null)
      .sort((a, b) => writtenAt(b) - writtenAt(a) || b.epoch - a.epoch);
    const broken = copies.filter(({ role, marker }) => role === "staging" && !marker?.snapshotId);
    const gone = [...caches.slice(1), ...(caches.length > 0 ? broken : [])];
    surplus.copies.push(...gone.map(({ path }) => ({ volume, path })));
    const inbox = disk.inboxPath(project, volume);
    if (hasInbox(inbox)) surplus.inboxes.push(inbox);
  }
  return surplus;
};

const writtenAt = ({ marker }: Copy): number => marker?.writtenAtMs ?? 0;
