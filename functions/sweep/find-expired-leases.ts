/**
 * Which nodes' leases are over, and whom that concerns. What was seen of each lease is remembered in
 * this process, by its own clock that never goes back: no other machine's clock is believed.
 */
import { LEASES_PREFIX, leaseKey } from "../../adapters/store-keys.ts";
import { ProjectId } from "../../workflows/ids.ts";
import {
  guardedProjects,
  Lease,
  type SeenLeases,
  watchLeases,
} from "../../workflows/node/lease.ts";
import type { ControlPorts } from "../control-ports.ts";
import { readJsonObject } from "../json-object.ts";
import type { LeaseExpired } from "../messages.ts";

export interface LeaseWatch {
  /** One look: a message for each project, open or guarded, that a node's silence concerns. */
  look(
    ports: Pick<ControlPorts, "store">,
    open: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly LeaseExpired[]>;
}

/** A lost node that stays lost is told of again, ever more rarely up to this. */
const REMIND_EVERY_MAX_MS = 60_000;
const REMIND_FIRST_MS = 2_000;

/** All leases as they are now, and which of them are over. */
export type SeeLeases = (
  ports: Pick<ControlPorts, "store">,
  signal: AbortSignal,
) => Promise<{ readonly leases: readonly Lease[]; readonly expired: readonly Lease[] }>;

/** One LIST, and a GET for each node. */
export const createLeaseEyes = (monotonicMs: () => number): SeeLeases => {
  let seen: SeenLeases = new Map();
  return async (ports, signal) => {
    const leases = await readLeases(ports, signal);
    const watched = watchLeases(seen, leases, monotonicMs());
    seen = watched.seen;
    return { leases, expired: watched.expired };
  };
};

export const createLeaseWatch = (
  monotonicMs: () => number,
  see: SeeLeases = createLeaseEyes(monotonicMs),
): LeaseWatch => {
  const reminders = createReminders();
  return {
    look: async (ports, open, signal) => {
      const { expired } = await see(ports, signal);
      const nowMs = monotonicMs();
      return expired.flatMap((lease) => {
        const { node, session } = lease;
        const guarded = reminders.isDue(`${node} ${session}`, nowMs) ? guardedProjects(lease) : [];
        return [...new Set([...open, ...guarded])].flatMap((name): LeaseExpired[] => {
          const project = ProjectId.safeParse(name);
          if (!project.success) return [];
          return [{ type: "lease.expired", version: 1, project: project.data, node, session }];
        });
      });
    },
  };
};

/** What each node last wrote. */
export const readLeases = async (
  { store }: Pick<ControlPorts, "store">,
  signal: AbortSignal,
): Promise<Lease[]> => {
  const leases: Lease[] = [];
  for await (const { key } of store.list(LEASES_PREFIX, signal)) {
    const lease = await readJsonObject(store, key, Lease, signal);
    if (lease !== null && leaseKey(lease.node) === key) leases.push(lease);
  }
  return leases;
};

/** At once, and then after twice as long each time. */
const createReminders = () => {
  const next = new Map<string, { atMs: number; waitMs: number }>();
  return {
    isDue: (name: string, nowMs: number): boolean => {
      const known = next.get(name) ?? { atMs: nowMs, waitMs: REMIND_FIRST_MS };
      if (nowMs < known.atMs) return false;
      const waitMs = Math.min(REMIND_EVERY_MAX_MS, known.waitMs * 2);
      next.set(name, { atMs: nowMs + known.waitMs, waitMs });
      return true;
    },
  };
};
