/**
 * Plans a deploy: which containers change, which move with them because they share a volume, and
 * where each group goes. Nothing is decided here about phases; nothing runs because of a plan.
 */
import type { ProjectSpec, VolumeSettings } from "../container-spec.ts";
import type { ContainerName, NodeId, VolumeName } from "../ids.ts";
import { chooseNode, HEARTBEAT_STALE_MS, memoryLimits } from "../placement/choose-node.ts";
import type { NodeStatus } from "../placement/node-status.ts";
import type { ContainerMove, Desired, ProjectState, VolumeMove } from "../record.ts";
import { findGroups } from "./find-groups.ts";
import { sameSpec } from "./same-spec.ts";

export interface Moves {
  readonly containers: Record<ContainerName, ContainerMove>;
  readonly volumes: Record<VolumeName, VolumeMove>;
}

export type Plan =
  | { readonly kind: "planned"; readonly moves: Moves }
  | { readonly kind: "unchanged" }
  | { readonly kind: "impossible"; readonly reasons: readonly string[] };

export interface PlanInput {
  readonly state: ProjectState;
  readonly spec: ProjectSpec;
  readonly nodes: readonly NodeStatus[];
  readonly request: Desired;
  readonly nowMs: number;
}

const names = <K extends string>(record: Readonly<Record<K, unknown>>): K[] =>
  Object.keys(record) as K[];

/** The whole plan, or every reason why there is none. */
export const planDeploy = (input: PlanInput): Plan => {
  const movers = findMovers(input);
  const volumeNames = findVolumes(input, movers);
  if (movers.length === 0) return { kind: "unchanged" };
  const lost = findUnreachable(input, movers, volumeNames);
  if (lost.length > 0) return { kind: "impossible", reasons: lost };
  const placed = placeGroups(input, movers);
  if (placed.kind === "impossible") return placed;
  const containers: Record<ContainerName, ContainerMove> = {};
  for (const name of movers) {
    const spec = input.spec.containers[name];
    const node = placed.nodes.get(name);
    containers[name] = {
      from: input.state.containers[name] ?? null,
      to: spec === undefined || node === undefined ? null : { spec, node },
    };
  }
  const volumes: Record<VolumeName, VolumeMove> = {};
  for (const name of volumeNames) volumes[name] = planVolume(input, name, containers);
  return { kind: "planned", moves: { containers, volumes } };
};

const mountedBy = (
  spec: { volumes: readonly { name: VolumeName }[] } | undefined,
  volume: VolumeName,
) => spec?.volumes.some(({ name }) => name === volume) ?? false;

/** Changed, added and removed containers, and all that share a volume with one of them. */
const findMovers = ({ state, spec, request }: PlanInput): ContainerName[] => {
  const all = [...new Set([...names(state.containers), ...names(spec.containers)])];
  const specs: Record<ContainerName, ProjectSpec["containers"][ContainerName][]> = {};
  for (const name of all) {
    specs[name] = [state.containers[name]?.spec, spec.containers[name]].filter(
      (s) => s !== undefined,
    );
  }
  const begunAnew = new Set([...names(request.restore), ...(request.take ?? [])]);
  const moves = (name: ContainerName): boolean => {
    const current = state.containers[name];
    const wanted = spec.containers[name];
    if (current === undefined || wanted === undefined) return true;
    if (request.force || !sameSpec(current.spec, wanted)) return true;
    if (request.target !== undefined && current.node !== request.target) return true;
    if (request.avoid?.includes(current.node)) return true;
    return wanted.volumes.some((mount) => begunAnew.has(mount.name));
  };
  return findGroups(specs)
    .filter((group) => group.some(moves))
    .flat();
};

/** The volumes that any mover mounts, before or after. */
const findVolumes = (
  { state, spec }: PlanInput,
  movers: readonly ContainerName[],
): VolumeName[] => [
  ...new Set(
    movers.flatMap((name) =>
      [state.containers[name]?.spec, spec.containers[name]].flatMap(
        (s) => s?.volumes.map((mount) => mount.name) ?? [],
      ),
    ),
  ),
];

/** Data on a node that does not answer can't be sealed: better to say so than to wait for ever. */
const findUnreachable = (
  { state, nodes, nowMs }: PlanInput,
  movers: readonly ContainerName[],
  volumes: readonly VolumeName[],
): string[] => {
  const holders = new Map<NodeId, string>();
  for (const name of movers) {
    const node = state.containers[name]?.node;
    if (node !== undefined) holders.set(node, `container ${name}`);
  }
  for (const name of volumes) {
    const owner = state.volumes[name]?.owner ?? null;
    if (owner !== null) holders.set(owner, `volume ${name}`);
  }
  return [...holders].flatMap(([node, what]) => {
    const status = nodes.find((n) => n.node === node);
    if (status !== undefined && nowMs - status.atMs <= HEARTBEAT_STALE_MS) return [];
    const age =
      status === undefined
        ? "never reported"
        : `silent for ${Math.round((nowMs - status.atMs) / 1000)} s`;
    return [`node ${node} holds ${what} and is ${age}: bring it back, or declare it lost`];
  });
};

type PlacedGroups =
  | { readonly kind: "placed"; readonly nodes: ReadonlyMap<ContainerName, NodeId> }
  | { readonly kind: "impossible"; readonly reasons: readonly string[] };

const placeGroups = (input: PlanInput, movers: readonly ContainerName[]): PlacedGroups => {
  const wanted: Record<ContainerName, ProjectSpec["containers"][ContainerName][]> = {};
  for (const name of movers) {
    const spec = input.spec.containers[name];
    if (spec !== undefined) wanted[name] = [spec];
  }
  const portsKept = keptPorts(input.state, movers);
  const memoryFreed = freedMemory(input.state, movers);
  const nodes = new Map<ContainerName, NodeId>();
  for (const group of findGroups(wanted)) {
    const containers = group.flatMap((name) => wanted[name] ?? []);
    const mounts = [...new Set(containers.flatMap((c) => c.volumes.map((v) => v.name)))];
    const placement = chooseNode(input.nodes, {
      project: input.state.project,
      containers,
      volumes: mounts.map((name) => ({
        name,
        owner: input.state.volumes[name]?.owner ?? null,
        bytes: input.state.volumes[name]?.head?.bytes ?? 0,
        head: input.state.volumes[name]?.head?.id ?? null,
        standbys: input.state.volumes[name]?.standbys ?? [],
      })),
      allowed: input.state.settings.nodes,
      constraints: input.state.settings.constraints,
      target: input.request.target,
      avoid: input.request.avoid ?? [],
      isAfterLoss: input.request.trigger === "failover",
      portsKept,
      memoryFreed,
      nowMs: input.nowMs,
    });
    if (placement.kind === "unplaceable") {
      const who = `no node for ${group.join(", ")}`;
      return { kind: "impossible", reasons: placement.reasons.map((r) => `${who}: ${r}`) };
    }
    for (const name of group) nodes.set(name, placement.node);
    const taken = portsKept.get(placement.node) ?? new Set<number>();
    for (const { hostPort } of containers.flatMap((c) => c.ports)) taken.add(hostPort);
    portsKept.set(placement.node, taken);
    const freed = memoryFreed.get(placement.node) ?? 0;
    memoryFreed.set(placement.node, freed - memoryLimits(containers));
  }
  return { kind: "placed", nodes };
};

const freedMemory = (
  state: ProjectState,
  movers: readonly ContainerName[],
): Map<NodeId, number> => {
  const freed = new Map<NodeId, number>();
  for (const { node, spec } of movers.flatMap((name) => state.containers[name] ?? [])) {
    freed.set(node, (freed.get(node) ?? 0) + memoryLimits([spec]));
  }
  return freed;
};

const keptPorts = (
  state: ProjectState,
  movers: readonly ContainerName[],
): Map<NodeId, Set<number>> => {
  const kept = new Map<NodeId, Set<number>>();
  for (const name of names(state.containers)) {
    const container = state.containers[name];
    if (container === undefined || movers.includes(name)) continue;
    const ports = kept.get(container.node) ?? new Set<number>();
    for (const { hostPort } of container.spec.ports) ports.add(hostPort);
    kept.set(container.node, ports);
  }
  return kept;
};

const DEFAULT_SETTINGS: VolumeSettings = { onNodeLoss: "wait" };

const planVolume = (
  { state, spec, request }: PlanInput,
  name: VolumeName,
  containers: Readonly<Record<ContainerName, ContainerMove>>,
): VolumeMove => {
  const volume = state.volumes[name];
  const writer = Object.values(containers).find((move) => mountedBy(move.to?.spec, name));
  return {
    settings: spec.volumes[name] ?? volume?.settings ?? DEFAULT_SETTINGS,
    from:
      volume === undefined || volume.owner === null
        ? null
        : { node: volume.owner, epoch: volume.epoch },
    to: writer?.to?.node ?? null,
    restore: request.restore[name] ?? null,
    copies: [],
    sealed: null,
    hydrated: null,
  };
};
