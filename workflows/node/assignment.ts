/**
 * What a project's record asks of one node: which containers run there under which epoch, whether
 * clients may reach them, below which epochs nothing may start, and which steps the node owes.
 */
import type { ContainerSpec } from "../container-spec.ts";
import type { ContainerName, DeployId, Epoch, LeaseSession, NodeId, VolumeName } from "../ids.ts";
import { keysOf } from "../keys-of.ts";
import type {
  ContainerMove,
  ContainerState,
  Deploy,
  Origin,
  ProjectState,
  VolumeState,
} from "../record.ts";

/** A volume as a container's start needs it. */
export interface VolumeOrder {
  readonly name: VolumeName;
  readonly epoch: Epoch;
  /** What the directory of `epoch` began from, should it not be there yet. */
  readonly origin: Origin;
}

export interface RunOrder {
  readonly container: ContainerName;
  readonly epoch: Epoch;
  readonly spec: ContainerSpec;
  readonly gate: "open" | "closed";
  /**
   * Whether volumes may be filled from the store. Only before the commit: in RUN the node's own
   * data are newer than the head, and a node without them must refuse.
   */
  readonly mayHydrate: boolean;
  readonly volumes: readonly VolumeOrder[];
  /** For each volume that may be failed over: the session of this node's lease that guards it. */
  readonly leases: readonly VolumeLease[];
}

/** Null: the record knows no session yet, so nobody can take the volume away. */
export interface VolumeLease {
  readonly volume: VolumeName;
  readonly session: LeaseSession | null;
}

export interface Fences {
  readonly containers: Readonly<Record<ContainerName, Epoch>>;
  readonly volumes: Readonly<Record<VolumeName, Epoch>>;
}

export interface StepOrder {
  readonly deployId: DeployId;
  readonly step: string;
}

export interface NodeAssignment {
  readonly run: readonly RunOrder[];
  /** A start under an epoch below its fence is refused, whoever asked for it and when. */
  readonly fences: Fences;
  readonly steps: readonly StepOrder[];
}

export const assignNode = (state: ProjectState, node: NodeId): NodeAssignment => {
  const moving = state.deploy;
  const steady = keysOf(state.containers)
    .filter((name) => moving?.containers[name] === undefined)
    .flatMap((name) => runSteady(state, node, name, state.containers[name]));
  const moved =
    moving === null
      ? []
      : keysOf(moving.containers).flatMap((name) =>
          runMoving(state, moving, node, name, moving.containers[name]),
        );
  return {
    run: [...steady, ...moved],
    fences: findFences(state),
    steps:
      moving?.phase.awaits
        .filter((owed) => owed.node === node)
        .map(({ step }) => ({ deployId: moving.id, step })) ?? [],
  };
};

const runSteady = (
  state: ProjectState,
  node: NodeId,
  container: ContainerName,
  current: ContainerState | undefined,
): RunOrder[] =>
  current === undefined || current.node !== node
    ? []
    : [order(state, container, current.spec, current.epoch, "open", false)];

/** Before the drain the old container serves; after it only what the phase names may start. */
const runMoving = (
  state: ProjectState,
  { phase }: Deploy,
  node: NodeId,
  container: ContainerName,
  move: ContainerMove | undefined,
): RunOrder[] => {
  switch (phase.name) {
    case "copying":
      return runSteady(state, node, container, move?.from ?? undefined);
    case "starting":
      return move?.to?.node === node
        ? [order(state, container, move.to.spec, phase.epoch, "closed", true)]
        : [];
    case "returning":
      return move?.from?.node === node
        ? [order(state, container, move.from.spec, phase.epoch, "closed", true)]
        : [];
    case "draining":
    case "sealed":
    case "unstarting":
      return [];
  }
};

const order = (
  state: ProjectState,
  container: ContainerName,
  spec: ContainerSpec,
  epoch: Epoch,
  gate: "open" | "closed",
  mayHydrate: boolean,
): RunOrder => ({
  container,
  epoch,
  spec,
  gate,
  mayHydrate,
  volumes: mountedBy(state, spec).map(([name, volume]) => ({
    name,
    epoch: volume.epoch,
    origin: volume.origin,
  })),
  leases: mountedBy(state, spec).flatMap(([volume, { settings, lease }]) =>
    settings.onNodeLoss === "restore" ? [{ volume, session: lease }] : [],
  ),
});

const mountedBy = (state: ProjectState, spec: ContainerSpec): [VolumeName, VolumeState][] =>
  [...new Set(spec.volumes.map((mount) => mount.name))].flatMap((name) => {
    const volume = state.volumes[name];
    return volume === undefined ? [] : [[name, volume]];
  });

/** The newest epoch that the record has given out or announced for each container and volume. */
const findFences = (state: ProjectState): Fences => {
  const containers: Record<ContainerName, Epoch> = {};
  const volumes: Record<VolumeName, Epoch> = {};
  for (const name of keysOf(state.containers)) {
    const container = state.containers[name];
    if (container !== undefined) containers[name] = container.epoch;
  }
  for (const name of keysOf(state.volumes)) {
    const volume = state.volumes[name];
    if (volume !== undefined) volumes[name] = volume.epoch;
  }
  const deploy = state.deploy;
  if (deploy === null || deploy.phase.name === "copying") return { containers, volumes };
  const { epoch } = deploy.phase;
  for (const name of keysOf(deploy.containers)) containers[name] = epoch;
  for (const name of keysOf(deploy.volumes)) volumes[name] = epoch;
  return { containers, volumes };
};
