/** Which containers' published ports are open on this node, and under which epoch. */
import { type Gate, type GateOrder, openGate } from "../adapters/gate.ts";
import type { ContainerName, Epoch, ProjectId } from "../workflows/ids.ts";

interface OpenContainer {
  readonly project: ProjectId;
  readonly container: ContainerName;
  readonly epoch: Epoch;
  readonly orders: readonly GateOrder[];
}

export interface GateRegistry {
  /** Opens all of the container's ports; those of an earlier epoch are closed first. */
  open(opened: OpenContainer): Promise<void>;
  /**
   * Stops listening before it returns. Connections under way end with their container, or after a
   * grace time; nobody waits for them, because the container is asked to stop meanwhile.
   */
  close(project: ProjectId, container: ContainerName): void;
  list(project?: ProjectId): OpenContainer[];
  /** Closes everything, and waits for the connections' grace time. */
  closeAll(): Promise<void>;
}

const CLOSE_GRACE_MS = 5_000;

export const createGateRegistry = (): GateRegistry => {
  const opened = new Map<string, OpenContainer & { readonly gates: readonly Gate[] }>();
  const keyOf = (project: ProjectId, container: ContainerName) => `${project}/${container}`;
  const closeGates = (key: string): Promise<unknown> => {
    const gates = opened.get(key)?.gates ?? [];
    opened.delete(key);
    return Promise.all(gates.map((gate) => gate.close(CLOSE_GRACE_MS)));
  };
  return {
    open: async (container) => {
      const key = keyOf(container.project, container.container);
      void closeGates(key);
      const gates: Gate[] = [];
      try {
        for (const order of container.orders) gates.push(await openGate(order));
      } catch (error) {
        await Promise.all(gates.map((gate) => gate.close(0)));
        throw error;
      }
      opened.set(key, { ...container, gates });
    },
    close: (project, container) => {
      void closeGates(keyOf(project, container));
    },
    list: (project) =>
      [...opened.values()].filter((open) => project === undefined || open.project === project),
    closeAll: async () => {
      await Promise.all([...opened.keys()].map(closeGates));
    },
  };
};
