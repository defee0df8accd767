/** Keeps the node's lease: takes it up, renews it in time, lets it go in time, and what it covers. */
import type { Clock } from "../adapters/clock.ts";
import type { GuardOrders } from "../adapters/guard-file.ts";
import type { ProcessIdentity } from "../adapters/process-identity.ts";
import { leaseKey } from "../adapters/store-keys.ts";
import { readJsonObject } from "../functions/json-object.ts";
import type { LeasePort, WatchedContainer } from "../functions/node-ports.ts";
import { LeaseSession, type ProjectId } from "../workflows/ids.ts";
import { Lease, renewEveryMs, stopWithinMs } from "../workflows/node/lease.ts";
import {
  createSession,
  createTurns,
  type LeaseSessionPorts,
  leaseLost,
  type Session,
} from "./lease-session.ts";

export interface LeaseKeeperPorts extends LeaseSessionPorts {
  readonly sleep: Clock["sleep"];
  /** A sleep does not count what the machine itself sleeps: the deadline is looked at so often. */
  readonly lookEveryMs: number;
  readonly identify: (pid: number) => ProcessIdentity | undefined;
  readonly readOrders: () => Promise<GuardOrders | null>;
  /** Resolves when a guard is there, throws RetryableError when none comes up. */
  readonly ensureGuard: (signal: AbortSignal) => Promise<void>;
}

export interface LeaseKeeper extends LeasePort {
  /** Takes up the session that a former process of this node held, or begins one. */
  begin(signal: AbortSignal): Promise<void>;
  /** Renews until the signal aborts. The lease then runs out by itself. */
  run(signal: AbortSignal): Promise<void>;
}

/** A renewal that got no answer is tried again after this share of the lease. */
const RETRY_SHARE = 30;

export const createLeaseKeeper = (ports: LeaseKeeperPorts): LeaseKeeper => {
  const { node, ttlMs } = ports;
  const session = createSession(ports);
  const inTurn = createTurns();
  const keepRenewing = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      try {
        await ensureGuarded(ports, session, signal);
        await inTurn(() => session.renew(signal));
        await ports.sleep(renewEveryMs(ttlMs), signal);
      } catch (error) {
        signal.throwIfAborted();
        const { session: number } = session.orders();
        ports.log.warn({ node, session: number, err: error }, "lease.not-renewed");
        await ports.sleep(Math.ceil(ttlMs / RETRY_SHARE), signal);
      }
    }
  };
  return {
    session: () => (session.isHeld() ? session.orders().session : null),
    begin: (signal) => begin(ports, session, signal),
    run: async (signal) => {
      await Promise.all([keepRenewing(signal), holdDeadline(ports, session, signal)]);
    },
    cover: async (project, volumes, signal) => {
      await ports.ensureGuard(signal);
      return inTurn(async () => {
        const { guards, session: number } = session.orders();
        const missing = volumes
          .map((volume) => `${project}/${volume}`)
          .filter((name) => !guards.includes(name));
        if (missing.length === 0 && session.isHeld()) return number;
        await session.change({ guards: [...guards, ...missing] });
        return session.renew(signal);
      });
    },
    // Not in turn: a renewal that hangs must not keep what runs already from being guarded.
    watch: (container, signal) => watchOne(ports, session, container, signal),
    uncover: (project) => inTurn(() => uncover(session, project)),
  };
};

const begin = async (
  { bootId, node, agent, store, bootTimeMs, readOrders, endContainers }: LeaseKeeperPorts,
  session: Session,
  signal: AbortSignal,
): Promise<void> => {
  const known = await readOrders();
  const isSameBoot = known?.bootId === bootId;
  const goesOn = isSameBoot && !known.isLapsed && bootTimeMs() < known.deadlineMs;
  if (goesOn) return session.change({ ...known, agent });
  if (isSameBoot) await endContainers(known.containers, signal);
  const object = await readJsonObject(store, leaseKey(node), Lease, signal);
  const newest = Math.max(known?.session ?? 0, object?.session ?? 0);
  await session.change({ session: LeaseSession.parse(newest + 1), guards: known?.guards ?? [] });
};

/**
 * A lease is not renewed for what no guard watches. Waits for one no longer than the lease holds: what
 * it covers is the agent's own to end then.
 */
const ensureGuarded = async (
  { bootTimeMs, ensureGuard }: LeaseKeeperPorts,
  session: Session,
  signal: AbortSignal,
): Promise<void> => {
  const { containers, deadlineMs } = session.orders();
  if (containers.length === 0 || !session.isHeld()) return;
  const leftMs = Math.ceil(Math.max(0, deadlineMs - bootTimeMs()));
  await ensureGuard(AbortSignal.any([signal, AbortSignal.timeout(leftMs)]));
};

const holdDeadline = async (
  { bootTimeMs, sleep, lookEveryMs }: LeaseKeeperPorts,
  session: Session,
  signal: AbortSignal,
): Promise<void> => {
  while (!signal.aborted) {
    session.letGo();
    const { isLapsed, deadlineMs } = session.orders();
    const leftMs = isLapsed ? lookEveryMs : deadlineMs - bootTimeMs();
    await sleep(Math.max(1, Math.min(leftMs, lookEveryMs)), signal);
  }
};

/**
 * One that was started as the lease ran out is in nobody's orders, and one whose guard left as it was
 * started is watched by nobody (a guard that leaves says so before it reads its orders for the last
 * time): either ends right here.
 */
const watchOne = async (
  { node, ttlMs, identify, ensureGuard, endContainers }: LeaseKeeperPorts,
  session: Session,
  { project, name, pid, graceMs }: WatchedContainer,
  signal: AbortSignal,
): Promise<void> => {
  const init = identify(pid);
  const { containers } = session.orders();
  const known = containers.find((one) => one.name === name);
  const isKnown = init === undefined || known?.init.startTicks === init.startTicks;
  if (isKnown && session.isHeld()) return;
  if (isKnown) throw leaseLost(node);
  const others = containers.filter((one) => one.name !== name);
  const one = { project, name, init, graceMs: Math.min(graceMs, stopWithinMs(ttlMs) / 2) };
  if (!session.isHeld()) {
    await endContainers([one], signal);
    throw leaseLost(node);
  }
  await session.change({ containers: [...others, one] });
  try {
    await ensureGuard(signal);
  } catch (error) {
    await endContainers([one], signal);
    throw error;
  }
};

const uncover = async (session: Session, project: ProjectId): Promise<void> => {
  const { guards, containers } = session.orders();
  const isOther = (name: string): boolean => !name.startsWith(`${project}/`);
  if (guards.every(isOther)) return;
  await session.change({
    guards: guards.filter(isOther),
    containers: containers.filter((one) => one.project !== project),
  });
};
