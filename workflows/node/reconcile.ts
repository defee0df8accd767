/**
 * The node's rules: from what the record asks and what is there, the next actions. Pure; the agent
 * performs them under the project's lock, and the explorer drives the same function.
 */
import type { ContainerName, Epoch, LeaseSession, VolumeName } from "../ids.ts";
import type { NodeAssignment, RunOrder } from "./assignment.ts";
import { isOwnEpoch } from "./own-copy.ts";

/** A container of the project that the Docker engine knows. */
export interface ObservedContainer {
  readonly container: ContainerName;
  readonly epoch: Epoch;
  readonly isRunning: boolean;
}

/** A directory that containers could be writing to: not sealed, not staging, not quarantined. */
export interface ObservedDirectory {
  readonly volume: VolumeName;
  readonly epoch: Epoch;
}

export interface Observed {
  readonly containers: readonly ObservedContainer[];
  readonly directories: readonly ObservedDirectory[];
  /** Containers whose published ports are open now, with the epoch they lead to. */
  readonly gates: readonly { readonly container: ContainerName; readonly epoch: Epoch }[];
  /** The session of the node's lease that holds now; null or absent: none does. */
  readonly session?: LeaseSession | null;
}

export type Action =
  | { readonly kind: "close-gate"; readonly container: ContainerName }
  | { readonly kind: "stop"; readonly container: ContainerName; readonly epoch: Epoch }
  | { readonly kind: "quarantine"; readonly volume: VolumeName; readonly epoch: Epoch }
  | { readonly kind: "start"; readonly order: RunOrder }
  | { readonly kind: "open-gate"; readonly order: RunOrder };

/**
 * Gates close first, strays stop next, then starts, and gates open last. Containers that a step
 * stops (a drain, an unstart) are left to that step, because it reports how they stopped.
 */
export const reconcile = (assignment: NodeAssignment, observed: Observed): Action[] => {
  const ordered = new Map(assignment.run.map((order) => [order.container, order]));
  const isOrdered = (container: ContainerName, epoch: Epoch) =>
    ordered.get(container)?.epoch === epoch;
  const isStopStep = assignment.steps.some(({ step }) => /^(?:seal|unstart)-/.test(step));
  const running = (order: RunOrder) =>
    observed.containers.some(
      (c) => c.container === order.container && c.epoch === order.epoch && c.isRunning,
    );
  const mayRun = (order: RunOrder) => isLeaseGood(order, observed.session ?? null);
  const actions: Action[] = [];
  for (const gate of observed.gates) {
    const order = ordered.get(gate.container);
    const serves =
      order?.gate === "open" && order.epoch === gate.epoch && running(order) && mayRun(order);
    if (!serves) actions.push({ kind: "close-gate", container: gate.container });
  }
  if (!isStopStep) actions.push(...findStrays(assignment, observed, isOrdered));
  for (const order of assignment.run) {
    if (mayRun(order) || !running(order)) continue;
    actions.push({ kind: "stop", container: order.container, epoch: order.epoch });
  }
  for (const order of assignment.run) {
    if (running(order) || !mayRun(order)) continue;
    // Before the commit a step starts it and reports; in RUN the node acts by itself.
    if (!order.mayHydrate) actions.push({ kind: "start", order });
  }
  for (const order of assignment.run) {
    const isOpen = observed.gates.some(
      (g) => g.container === order.container && g.epoch === order.epoch,
    );
    if (order.gate === "open" && !isOpen && mayRun(order))
      actions.push({ kind: "open-gate", order });
  }
  return actions;
};

const findStrays = (
  assignment: NodeAssignment,
  observed: Observed,
  isOrdered: (container: ContainerName, epoch: Epoch) => boolean,
): Action[] => {
  const stops = observed.containers
    .filter(({ container, epoch }) => !isOrdered(container, epoch))
    .map(({ container, epoch }): Action => ({ kind: "stop", container, epoch }));
  const owned = assignment.run.flatMap((order) => order.volumes);
  const isOwn = (volume: VolumeName, epoch: Epoch) =>
    owned.some((order) => order.name === volume && isOwnEpoch(order, epoch));
  const quarantines = observed.directories
    .filter(({ volume, epoch }) => !isOwn(volume, epoch))
    .filter(({ volume, epoch }) => epoch < (assignment.fences.volumes[volume] ?? 0))
    .map(({ volume, epoch }): Action => ({ kind: "quarantine", volume, epoch }));
  return [...stops, ...quarantines];
};

/**
 * Whether the node's lease lets the order run. A volume that may be failed over runs only while the
 * lease holds, and only under the session that the record knows: the end of that one, once seen by
 * others, gives it away. One that the record knows of no session can't be given away.
 */
export const isLeaseGood = (
  order: Pick<RunOrder, "leases">,
  session: LeaseSession | null,
): boolean =>
  order.leases.every(
    (known) => session !== null && (known.session === null || known.session === session),
  );

/** Whether a start under this epoch is allowed by the fences that the node holds on disk. */
export const isStartAllowed = (
  order: Pick<RunOrder, "container" | "epoch" | "volumes">,
  fences: NodeAssignment["fences"],
): boolean =>
  order.epoch >= (fences.containers[order.container] ?? 0) &&
  order.volumes.every(({ name, epoch }) => epoch >= (fences.volumes[name] ?? 0));
