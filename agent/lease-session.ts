/**
 * The session of a node's lease, as its agent knows it: until when it holds, the renewal that moves
 * that on, and its end. What the guard needs to act in the agent's place is on disk beside it.
 */
import type { GuardedContainer, GuardOrders } from "../adapters/guard-file.ts";
import type { ProcessIdentity } from "../adapters/process-identity.ts";
import { leaseKey } from "../adapters/store-keys.ts";
import { encodeJson } from "../functions/json-object.ts";
import type { NodePorts } from "../functions/node-ports.ts";
import { RetryableError } from "../volume/errors.ts";
import { LeaseSession } from "../workflows/ids.ts";
import { guardAfterMs, type Lease, renewEveryMs } from "../workflows/node/lease.ts";

export interface LeaseSessionPorts extends Pick<NodePorts, "node" | "store" | "newToken" | "log"> {
  readonly bootId: string;
  readonly ttlMs: number;
  /** Milliseconds since the boot: the only clock that the lease is measured on. */
  readonly bootTimeMs: () => number;
  readonly agent: ProcessIdentity;
  readonly writeOrders: (orders: GuardOrders) => Promise<void>;
  /** Ends containers of a session that is over. */
  readonly endContainers: (
    containers: readonly GuardedContainer[],
    signal: AbortSignal,
  ) => Promise<void>;
  /** The lease is gone: no client may get through to these from now on. At once, and not later. */
  readonly onLapse: (containers: readonly GuardedContainer[]) => void;
}

export interface Session {
  orders(): GuardOrders;
  isHeld(): boolean;
  /** In memory when it returns, on disk when it resolves. */
  change(next: Partial<GuardOrders>): Promise<void>;
  /** Ends the session if its time is over. Waits for no disk, engine or store. */
  letGo(): void;
  /** Not to be called while another call of it runs. Throws RetryableError when nothing holds. */
  renew(signal: AbortSignal): Promise<LeaseSession>;
}

/** How long after the deadline the guard takes the agent for stuck, as a share of the lease. */
const AGENT_GRACE_SHARE = 30;

export const createSession = (ports: LeaseSessionPorts): Session => {
  const { node, bootId, ttlMs, bootTimeMs, log } = ports;
  let orders = firstOrders(ports);
  /** What a session that is over has left to be ended. */
  let over: readonly GuardedContainer[] | null = null;
  const inTurn = createTurns();
  const isHeld = (): boolean => !orders.isLapsed && bootTimeMs() < orders.deadlineMs;
  const change = (next: Partial<GuardOrders>): Promise<void> => {
    orders = { ...orders, ...next };
    return inTurn(() => ports.writeOrders(orders));
  };
  const letGo = (): void => {
    if (orders.isLapsed || isHeld()) return;
    over = orders.containers;
    const written = change({ isLapsed: true });
    ports.onLapse(over);
    log.error({ node, session: orders.session }, "lease.lapsed");
    written.catch((error: unknown) => log.error({ err: error }, "guard.orders-not-written"));
  };
  /** The next session begins only when nothing of the last one runs any more. */
  const settle = async (signal: AbortSignal): Promise<void> => {
    if (over === null) return;
    await ports.endContainers(over, signal);
    over = null;
    await change({ session: LeaseSession.parse(orders.session + 1), containers: [] });
  };
  const renew = async (signal: AbortSignal): Promise<LeaseSession> => {
    letGo();
    await settle(signal);
    const { session, guards, isLapsed: isNew } = orders;
    const sentAtMs = bootTimeMs();
    const lease: Lease = { node, bootId, session, renewal: ports.newToken(), ttlMs, guards };
    // A renewal that hangs must not keep the next one from being tried.
    const inTime = AbortSignal.any([signal, AbortSignal.timeout(renewEveryMs(ttlMs))]);
    await ports.store.put(leaseKey(node), encodeJson(lease), {}, inTime);
    if (!isNew && !isHeld()) throw leaseLost(node);
    await change({ deadlineMs: sentAtMs + guardAfterMs(ttlMs), isLapsed: false });
    if (!isHeld()) throw leaseLost(node);
    return session;
  };
  return { orders: () => orders, isHeld, change, letGo, renew };
};

const firstOrders = ({ bootId, ttlMs, agent }: LeaseSessionPorts): GuardOrders => ({
  bootId,
  session: LeaseSession.parse(1),
  deadlineMs: 0,
  isLapsed: true,
  agentGraceMs: Math.ceil(ttlMs / AGENT_GRACE_SHARE),
  agent,
  guards: [],
  containers: [],
});

/** One piece of work after the other. */
export const createTurns = () => {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work, work);
    last = mine.catch(() => undefined);
    return mine;
  };
};

export const leaseLost = (node: string): RetryableError =>
  new RetryableError(`the lease of node ${node} is not held`, {
    code: "lease-lost",
    hint: "look whether the node reaches the store",
  });
