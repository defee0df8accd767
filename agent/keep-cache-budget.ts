/**
 * Keeps the node's warm copies within its budget: those that were brought up to date longest ago go
 * first. Only what the store holds too: never the owner's data, a branch, what is kept for a
 * standby's sake, or anything of a project in a deploy.
 */
import type { Copy } from "../adapters/node-disk.ts";
import type { ProjectId, VolumeName } from "../workflows/ids.ts";
import { isEvictable } from "../workflows/node/is-evictable.ts";
import type { AgentPorts } from "./reconcile-project.ts";

interface Cached {
  readonly project: ProjectId;
  readonly volume: VolumeName;
  readonly copy: Copy;
  readonly bytes: number;
  readonly usedAtMs: number;
}

/** Copies that nobody writes to and that equal a snapshot, oldest first. */
export const listCaches = async (ports: AgentPorts): Promise<Cached[]> => {
  const caches: Cached[] = [];
  for (const project of await ports.disk.listProjects()) {
    for (const volume of await ports.disk.listVolumes(project)) {
      for (const copy of await ports.disk.listCopies(project, volume)) {
        const { role, marker } = copy;
        if (marker === null || marker.snapshotId === null) continue;
        if (role !== "sealed" && role !== "staging") continue;
        const { bytes, writtenAtMs: usedAtMs } = marker;
        caches.push({ project, volume, copy, bytes, usedAtMs });
      }
    }
  }
  return caches.sort((a, b) => a.usedAtMs - b.usedAtMs);
};

const LOOK_EVERY_MS = 10_000;

export const keepCacheBudget = async (
  ports: AgentPorts,
  sleep: (ms: number, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> => {
  while (ports.cacheBudgetBytes !== null && !signal.aborted) {
    await evictCaches(ports, signal).catch((error: unknown) => {
      if (!signal.aborted) ports.log.warn({ err: error }, "caches.kept");
    });
    await sleep(LOOK_EVERY_MS, signal);
  }
};

export const evictCaches = async (ports: AgentPorts, signal: AbortSignal): Promise<void> => {
  const { cacheBudgetBytes } = ports;
  if (cacheBudgetBytes === null) return;
  const caches = await listCaches(ports);
  const all = caches.reduce((sum, { bytes }) => sum + bytes, 0);
  if (all <= cacheBudgetBytes) return;
  const counted: Cached[] = [];
  for (const one of caches) if (await mayGo(ports, one, signal)) counted.push(one);
  let total = counted.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const one of counted) {
    if (total <= cacheBudgetBytes) return;
    if (await evict(ports, one, signal)) total -= one.bytes;
  }
};

/** Under the staging lock, on a record read inside it: a deploy may begin to need it at any time. */
const evict = (ports: AgentPorts, one: Cached, signal: AbortSignal): Promise<boolean> =>
  ports.locks.run(`stage ${one.project}`, async () => {
    const { project, volume, copy } = one;
    const now = await ports.disk.listCopies(project, volume);
    const isSame = now.some(
      ({ path, marker }) => path === copy.path && marker?.snapshotId === copy.marker?.snapshotId,
    );
    if (!isSame || !(await mayGo(ports, one, signal))) return false;
    await ports.disk.remove(copy.path);
    ports.log.info({ project, volume, bytes: one.bytes, path: copy.path }, "cache.evicted");
    return true;
  });

const mayGo = async (
  ports: AgentPorts,
  { project, volume, copy }: Cached,
  signal: AbortSignal,
): Promise<boolean> => {
  const loaded = await ports.records.load(project, signal);
  if (loaded === null) return false;
  const snapshotId = copy.marker?.snapshotId ?? null;
  return isEvictable(loaded.state, volume, { ...copy, snapshotId }, ports.node);
};
