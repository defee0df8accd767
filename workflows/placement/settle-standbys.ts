/**
 * Which nodes keep a project's volumes at hand, for those whose settings say `standby`. A node that
 * serves well stays; one that fell silent, or became the owner, is replaced. What another node then
 * has is an ordinary cache. Volumes that move together have the same standbys.
 */
import { findGroups } from "../deploy/find-groups.ts";
import { changed, type Decision, type InputOf, UNCHANGED } from "../deploy/messages.ts";
import type { ContainerName, NodeId, VolumeName } from "../ids.ts";
import { keysOf, mapRecord } from "../keys-of.ts";
import type { ProjectState, VolumeState } from "../record.ts";
import { chooseNode } from "./choose-node.ts";
import type { NodeStatus } from "./node-status.ts";

type NodesSeen = InputOf<"nodes.seen">;

/** Whether news of the nodes could change anything: only then need anybody read them. */
export const concernsStandbys = ({ deploy, volumes }: ProjectState): boolean =>
  deploy === null &&
  Object.values(volumes).some((volume) => wantedOf(volume) > 0 || volume.standbys.length > 0);

export const settleStandbys = (state: ProjectState, input: NodesSeen): Decision => {
  if (!concernsStandbys(state)) return UNCHANGED;
  const chosen = chooseStandbys(state, input);
  const volumes = mapRecord(state.volumes, (volume, name) => {
    const standbys = (chosen.get(name) ?? []).slice(0, wantedOf(volume));
    const isSame = standbys.join(" ") === volume.standbys.join(" ");
    return isSame ? volume : { ...volume, standbys };
  });
  const renewed = keysOf(volumes).filter((name) => volumes[name] !== state.volumes[name]);
  if (renewed.length === 0) return UNCHANGED;
  const events = renewed.map((name) => ({
    type: "standbys.chosen",
    data: { project: state.project, volume: name, nodes: volumes[name]?.standbys ?? [] },
  }));
  return changed({ ...state, volumes }, ...events);
};

/** Of a volume that no node owns nothing can be lost with a node. */
const wantedOf = ({ owner, settings }: VolumeState): number =>
  owner === null ? 0 : (settings.standby ?? 0);

const chooseStandbys = (
  state: ProjectState,
  { nodes, nowMs }: NodesSeen,
): ReadonlyMap<VolumeName, readonly NodeId[]> => {
  const chosen = new Map<VolumeName, readonly NodeId[]>();
  const specs = mapRecord(state.containers, ({ spec }) => [spec]);
  for (const group of findGroups(specs)) {
    const names = volumesOf(state, group);
    const count = Math.max(0, ...names.map((name) => wantedOf(state.volumes[name] as VolumeState)));
    const standbys = chooseForGroup(state, { group, names, count, nodes, nowMs });
    for (const name of names) chosen.set(name, standbys);
  }
  return chosen;
};

const volumesOf = (state: ProjectState, group: readonly ContainerName[]): VolumeName[] => {
  const mounts = group.flatMap((name) => state.containers[name]?.spec.volumes ?? []);
  return [...new Set(mounts.map(({ name }) => name))].filter(
    (name) => state.volumes[name] !== undefined,
  );
};

interface Group {
  readonly group: readonly ContainerName[];
  readonly names: readonly VolumeName[];
  readonly count: number;
  readonly nodes: readonly NodeStatus[];
  readonly nowMs: number;
}

/** One by one, each where the group could run if its node were gone. */
const chooseForGroup = (
  state: ProjectState,
  { group, names, count, nodes, nowMs }: Group,
): NodeId[] => {
  const volumes = names.map((name) => {
    const { owner, head, standbys } = state.volumes[name] as VolumeState;
    return { name, owner, bytes: head?.bytes ?? 0, head: head?.id ?? null, standbys };
  });
  const owners = volumes.flatMap(({ owner }) => owner ?? []);
  const standbys: NodeId[] = [];
  while (standbys.length < count) {
    const placement = chooseNode(nodes, {
      project: state.project,
      containers: group.flatMap((name) => state.containers[name]?.spec ?? []),
      volumes,
      allowed: state.settings.nodes,
      constraints: state.settings.constraints,
      target: undefined,
      avoid: [...owners, ...standbys],
      portsKept: new Map(),
      memoryFreed: new Map(),
      nowMs,
    });
    if (placement.kind === "unplaceable") break;
    standbys.push(placement.node);
  }
  return standbys;
};
