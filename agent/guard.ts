/**
 * The guard of a node: a process of its own that holds the lease's deadline when the agent can't, be
 * it dead, stuck or stopped. It reads nothing but the agent's orders, needs neither store nor engine,
 * and ends when there is nothing left to guard and nobody to guard it for.
 */
import { type EndContainersPorts, endContainers } from "../adapters/end-containers.ts";
import { type GuardOrders, readGuardOrders } from "../adapters/guard-file.ts";
import { allEnded } from "../volume/all-ended.ts";

export interface GuardPorts extends EndContainersPorts {
  readonly root: string;
  readonly bootId: string;
  readonly bootTimeMs: () => number;
  /** One line an event, for whoever reads the agent's log. */
  readonly say: (event: string, data: Readonly<Record<string, unknown>>) => void;
}

/** Orders are read again at least this often. */
export const LOOK_EVERY_MS = 500;
const LOOK_SOON_MS = 20;

/** Runs until nothing is left to guard. */
export const runGuard = async (ports: GuardPorts, signal: AbortSignal): Promise<void> => {
  for (;;) {
    const orders = await readGuardOrders(ports.root);
    if (orders === null || orders.bootId !== ports.bootId) return;
    const leftMs = orders.deadlineMs - ports.bootTimeMs();
    if (leftMs <= 0) await strike(ports, orders, signal);
    const { isAlive } = ports.processes;
    const isWatched = isAlive(orders.agent) || orders.containers.some(({ init }) => isAlive(init));
    if (!isWatched) return;
    const waitMs = leftMs > 0 ? Math.max(LOOK_SOON_MS, Math.min(leftMs, LOOK_EVERY_MS)) : 0;
    await ports.clock.sleep(waitMs === 0 ? LOOK_EVERY_MS : waitMs, signal);
  }
};

/** The containers end, and with them an agent that has not closed its gates by itself. */
const strike = async (
  ports: GuardPorts,
  orders: GuardOrders,
  signal: AbortSignal,
): Promise<void> => {
  // Neither waits for the other, and what keeps one from its end must not keep the other from it.
  await allEnded([
    endAlive(ports, orders, "guard.stops", signal),
    endStuckAgent(ports, orders, signal),
  ]);
};

/** False: none of them was alive. `event` tells why they end. */
export const endAlive = async (
  ports: GuardPorts,
  { session, containers }: GuardOrders,
  event: string,
  signal: AbortSignal,
): Promise<boolean> => {
  const alive = containers.filter(({ init }) => ports.processes.isAlive(init));
  if (alive.length === 0) return false;
  ports.say(event, { session, containers: alive.map(({ name }) => name) });
  await endContainers(alive, ports, signal);
  return true;
};

const endStuckAgent = async (
  ports: GuardPorts,
  { session, deadlineMs, agentGraceMs, agent }: GuardOrders,
  signal: AbortSignal,
): Promise<void> => {
  const leftMs = deadlineMs + agentGraceMs - ports.bootTimeMs();
  if (leftMs > 0) await ports.clock.sleep(leftMs, signal);
  const now = await readGuardOrders(ports.root);
  const isStuck = now?.session === session && !now.isLapsed && now.deadlineMs === deadlineMs;
  if (!isStuck || !ports.processes.isAlive(agent)) return;
  ports.say("guard.ends-agent", { session, pid: agent.pid });
  ports.processes.signal(agent, "SIGKILL");
};
