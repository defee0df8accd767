/**
 * Observe → decide → act, for one project on this node: after a start, a hint, a container's death.
 * Holds the project's lock, reads the record inside it, and acts on nothing older.
 */

import { containerName, nodeLabels, parseLabels } from "../functions/container-names.ts";
import { watchContainer } from "../functions/cover-order.ts";
import type { NodePorts } from "../functions/node-ports.ts";
import { startContainer } from "../functions/start-containers/start-container.ts";
import { TerminalError } from "../volume/errors.ts";
import { reachedPorts } from "../workflows/edge/routes.ts";
import type { ProjectId, Revision } from "../workflows/ids.ts";
import { assignNode, type NodeAssignment, type RunOrder } from "../workflows/node/assignment.ts";
import { type Action, isLeaseGood, type Observed, reconcile } from "../workflows/node/reconcile.ts";
import type { ProjectState } from "../workflows/record.ts";
import type { Backoff } from "./backoff.ts";
import type { GateRegistry } from "./gate-registry.ts";
import { holdLeases } from "./hold-leases.ts";

/** For containers that the record does not know any more. */
const STRAY_GRACE_MS = 10_000;
/** A start changes what is observed; after it the gates are looked at again. */
const PASSES_MAX = 3;

export interface AgentPorts extends NodePorts {
  readonly gates: GateRegistry;
  /** The kernel's own id of this boot; a cloned or restarted machine has another. */
  readonly bootId: string;
  readonly bindAddress: string;
  readonly restarts: Backoff;
  /** The most that warm copies may take; null: no limit. */
  readonly cacheBudgetBytes: number | null;
}

/**
 * Returns the state that was acted on, or null for a project that does not exist. `hinted`: a revision
 * that the record is said to have.
 */
export const reconcileProject = (
  ports: AgentPorts,
  { project, hinted }: { readonly project: ProjectId; readonly hinted?: Revision | undefined },
  signal: AbortSignal,
): Promise<ProjectState | null> =>
  ports.locks.run(`project ${project}`, async () => {
    for (let pass = 1; ; pass += 1) {
      const loaded = await ports.records.load(project, signal, hinted);
      if (loaded === null) return null;
      const assignment = assignNode(loaded.state, ports.node);
      await ports.fences.raise(project, assignment.fences);
      await holdLeases(ports, loaded.state, assignment, signal);
      const actions = reconcile(assignment, await observe(ports, project, signal));
      let isStarted = false;
      for (const action of actions) {
        isStarted =
          (await perform(ports, loaded.state, { assignment, action }, signal)) || isStarted;
      }
      if (!isStarted || pass >= PASSES_MAX) return loaded.state;
    }
  });

const observe = async (
  ports: AgentPorts,
  project: ProjectId,
  signal: AbortSignal,
): Promise<Observed> => {
  const listed = await ports.docker.listContainers(nodeLabels(ports.node, project), signal);
  const directories: {
    volume: Observed["directories"][number]["volume"];
    epoch: Observed["directories"][number]["epoch"];
  }[] = [];
  for (const volume of await ports.disk.listVolumes(project)) {
    for (const { role, epoch } of await ports.disk.listCopies(project, volume)) {
      if (role === "live") directories.push({ volume, epoch });
    }
  }
  return {
    containers: listed.flatMap(({ labels, state }) => {
      const ours = parseLabels(labels);
      return ours === null ? [] : [{ ...ours, isRunning: state === "running" }];
    }),
    directories,
    gates: ports.gates.list(project),
    session: ports.lease.session(),
  };
};

/** True when a container was started. An obstacle to one container must not stop the others. */
const perform = async (
  ports: AgentPorts,
  state: ProjectState,
  { assignment, action }: { readonly assignment: NodeAssignment; readonly action: Action },
  signal: AbortSignal,
): Promise<boolean> => {
  const { project } = state;
  switch (action.kind) {
    case "close-gate":
      ports.gates.close(project, action.container);
      return false;
    case "stop": {
      const name = containerName(project, action.container, action.epoch);
      ports.gates.close(project, action.container);
      const order = assignment.run.find(({ container }) => container === action.container);
      const graceMs = order?.spec.stopGracePeriodMs ?? STRAY_GRACE_MS;
      await ports.docker.stopContainer(name, graceMs, signal);
      await ports.docker.removeContainer(name, signal);
      ports.log.warn(
        { project, container: action.container, epoch: action.epoch },
        "stray.stopped",
      );
      return false;
    }
    case "quarantine": {
      const { volume, epoch } = action;
      const from = ports.disk.pathOf(project, volume, "live", epoch);
      await ports.disk.moveCopy(from, ports.disk.pathOf(project, volume, "branch", epoch));
      ports.log.warn({ project, volume, epoch }, "volume.quarantined");
      return false;
    }
    case "start":
      return restart(ports, state, action.order, signal);
    case "open-gate":
      await openGate(ports, project, action.order, signal);
      return false;
  }
};

const restart = async (
  ports: AgentPorts,
  state: ProjectState,
  order: RunOrder,
  signal: AbortSignal,
): Promise<boolean> => {
  const { project } = state;
  const name = containerName(project, order.container, order.epoch);
  if (!ports.restarts.isDue(name)) return false;
  ports.restarts.note(name);
  ports.gates.close(project, order.container);
  try {
    await startContainer(ports, state, { order, heldSince: ports.lease.session() }, signal);
    ports.log.info(
      { project, container: order.container, epoch: order.epoch },
      "container.started",
    );
    return true;
  } catch (error) {
    if (!(error instanceof TerminalError)) throw error;
    const { message, code, hint } = error;
    ports.log.error({ project, container: order.container, code, hint }, message);
    return false;
  }
};

/** Only for a container that runs now, under the epoch that the record has committed. */
const openGate = async (
  ports: AgentPorts,
  project: ProjectId,
  order: RunOrder,
  signal: AbortSignal,
): Promise<void> => {
  const name = containerName(project, order.container, order.epoch);
  await watchContainer(ports, project, { order, name }, signal);
  const reached = reachedPorts(order.spec);
  if (reached.length === 0) return;
  const view = await ports.docker.inspect(name, signal);
  const address = view?.state === "running" ? view.addresses[0] : undefined;
  if (address === undefined) return;
  const maySpeak = () => isLeaseGood(order, ports.lease.session());
  const speech = order.leases.length > 0 ? { maySpeak } : {};
  await ports.gates.open({
    project,
    container: order.container,
    epoch: order.epoch,
    orders: order.spec.ports.map(({ hostPort, containerPort }) => ({
      id: `${project}/${order.container}/${order.epoch}/${hostPort}`,
      hostAddress: ports.bindAddress,
      hostPort,
      target: { address, port: containerPort },
      ...speech,
    })),
    inside: { address, ports: reached, ...speech },
    stopGraceMs: order.spec.stopGracePeriodMs,
  });
  ports.log.info({ project, container: order.container, epoch: order.epoch }, "gate.opened");
};
