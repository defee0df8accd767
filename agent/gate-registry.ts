/** Which containers' clients are let in on this node, and under which epoch: ports, and the door. */
import { type Door, type DoorTarget, doorName } from "../adapters/door.ts";
import { type Gate, type GateOrder, openGate } from "../adapters/gate.ts";
import type { ContainerName, Epoch, ProjectId } from "../workflows/ids.ts";

interface OpenContainer {
  readonly project: ProjectId;
  readonly container: ContainerName;
  readonly epoch: Epoch;
  readonly orders: readonly GateOrder[];
  /** What edges reach of it through the door. */
  readonly inside: DoorTarget;
  /** How long it takes to stop, at most. */
  readonly stopGraceMs: number;
}

export interface GateRegistry {
  /** Opens all of the container's ports; those of an earlier epoch are closed first. */
  open(opened: OpenContainer): Promise<void>;
  /**
   * Lets nobody in any more before it returns. Connections under way end with their container, or
   * after a grace time; nobody waits for them, because the container is asked to stop meanwhile.
   */
  close(project: ProjectId, container: ContainerName): void;
  /** As close, and waits for the answers to requests that came through edges. */
  drain(project: ProjectId, container: ContainerName, graceMs: number): Promise<void>;
  /** Closes as well, and resets every connection, also of a drain, before it returns. */
  cut(project: ProjectId, container: ContainerName): void;
  list(project?: ProjectId): OpenContainer[];
  /** Closes everything, and waits for the connections' grace time. */
  closeAll(): Promise<void>;
}

const CLOSE_GRACE_MS = 5_000;
/** Of a container's grace time: once to drain its requests, once to stop. */
const CUT_AFTER_GRACES = 2;

export const createGateRegistry = (door: Door | null): GateRegistry => {
  const opened = new Map<string, OpenContainer & { readonly gates: readonly Gate[] }>();
  /** Closed, with connections that may still end by themselves. */
  const closing = new Map<string, Set<Gate>>();
  const keyOf = (project: ProjectId, container: ContainerName) => doorName({ project, container });
  const closeGates = (key: string, graceMs?: number): Promise<unknown> => {
    const known = opened.get(key);
    if (known === undefined) return Promise.resolve();
    opened.delete(key);
    closing.set(key, new Set([...(closing.get(key) ?? []), ...known.gates]));
    const cutMs = graceMs ?? CUT_AFTER_GRACES * known.stopGraceMs + CLOSE_GRACE_MS;
    door?.refuse(key, cutMs);
    return Promise.all(known.gates.map((gate) => closeGate(key, gate, cutMs)));
  };
  const closeGate = async (key: string, gate: Gate, cutMs: number): Promise<void> => {
    await gate.close(cutMs);
    closing.get(key)?.delete(gate);
    if (closing.get(key)?.size === 0) closing.delete(key);
  };
  return {
    open: async (container) => {
      const key = keyOf(container.project, container.container);
      void closeGates(key, CLOSE_GRACE_MS);
      const gates: Gate[] = [];
      try {
        for (const order of container.orders) gates.push(await openGate(order));
      } catch (error) {
        await Promise.all(gates.map((gate) => gate.close(0)));
        throw error;
      }
      door?.admit(key, container.inside);
      opened.set(key, { ...container, gates });
    },
    close: (project, container) => {
      void closeGates(keyOf(project, container));
    },
    drain: async (project, container, graceMs) => {
      const key = keyOf(project, container);
      void closeGates(key);
      await door?.drained(key, graceMs);
    },
    cut: (project, container) => {
      const key = keyOf(project, container);
      void closeGates(key, 0);
      for (const gate of closing.get(key) ?? []) void gate.close(0);
      door?.refuse(key, 0);
    },
    list: (project) =>
      [...opened.values()].filter((open) => project === undefined || open.project === project),
    closeAll: async () => {
      const gates = [...opened.keys()].map((key) => closeGates(key, CLOSE_GRACE_MS));
      await Promise.all([...gates, door?.close(CLOSE_GRACE_MS)]);
    },
  };
};
