/** Which containers' published ports are open on this node, and under which epoch. */
import type { GateOrder, Gates } from "../adapters/gate.ts";
import type { ContainerName, Epoch, ProjectId } from "../workflows/ids.ts";

interface OpenContainer {
  readonly project: ProjectId;
  readonly container: ContainerName;
  readonly epoch: Epoch;
  readonly orders: readonly GateOrder[];
}

export interface GateRegistry {
  open(opened: OpenContainer): Promise<void>;
  /** Stops listening at once; connections under way end within the grace time. */
  close(project: ProjectId, container: ContainerName): Promise<void>;
  list(project?: ProjectId): OpenContainer[];
  closeAll(): Promise<void>;
}

/** Requests under way may finish while their container is being asked to stop. */
const CLOSE_GRACE_MS = 5_000;

export const createGateRegistry = (gates: Gates): GateRegistry => {
  const opened = new Map<string, OpenContainer>();
  const keyOf = (project: ProjectId, container: ContainerName) => `${project}/${container}`;
  const apply = (): Promise<void> =>
    gates.reconcile(
      [...opened.values()].flatMap(({ orders }) => orders),
      CLOSE_GRACE_MS,
    );
  return {
    open: async (container) => {
      opened.set(keyOf(container.project, container.container), container);
      await apply();
    },
    close: async (project, container) => {
      if (opened.delete(keyOf(project, container))) await apply();
    },
    list: (project) =>
      [...opened.values()].filter((open) => project === undefined || open.project === project),
    closeAll: async () => {
      opened.clear();
      await gates.closeAll(CLOSE_GRACE_MS);
    },
  };
};
