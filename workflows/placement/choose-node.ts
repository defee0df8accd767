/** Chooses the node for a group of containers. Pure: what is known of the nodes comes in. */
import type { ContainerSpec, PlacementConstraint } from "../container-spec.ts";
import type { NodeId, ProjectId, SnapshotId, VolumeName } from "../ids.ts";
import type { NodeStatus } from "./node-status.ts";

/** A heartbeat older than this says nothing about the node's present. */
export const HEARTBEAT_STALE_MS = 60_000;
/** Two heartbeats are missing: after a loss such a node may be lost as well. */
const HEARTBEAT_LATE_MS = 25_000;

export interface PlacedVolume {
  readonly name: VolumeName;
  readonly owner: NodeId | null;
  readonly bytes: number;
  /** The newest snapshot, and who keeps it at hand by the record's word. */
  readonly head?: SnapshotId | null;
  readonly standbys?: readonly NodeId[];
}

export interface PlacementRequest {
  readonly project: ProjectId;
  readonly containers: readonly ContainerSpec[];
  /** The volumes the group writes, and who writes them now. */
  readonly volumes: readonly PlacedVolume[];
  /** Nodes the project may use; empty: all. */
  readonly allowed: readonly NodeId[];
  readonly constraints: readonly PlacementConstraint[];
  /** The operator's choice; only checked. */
  readonly target: NodeId | undefined;
  /** Nodes that are lost or being drained. */
  readonly avoid?: readonly NodeId[];
  /** A node was lost, seldom alone: one that was just heard of comes first, whatever others hold. */
  readonly isAfterLoss?: boolean;
  /** Host ports of the project's containers that stay where they are, per node. */
  readonly portsKept: ReadonlyMap<NodeId, ReadonlySet<number>>;
  /**
   * Of a node's reserved memory, what the deploy's own old containers hold, less what the deploy has
   * placed there already: the old ones stop before the new ones start.
   */
  readonly memoryFreed: ReadonlyMap<NodeId, number>;
  readonly nowMs: number;
}

export type Placement =
  | { readonly kind: "placed"; readonly node: NodeId }
  | { readonly kind: "unplaceable"; readonly reasons: readonly string[] };

/** Data in place first, then a standby, a warm copy, the emptiest node; ties go by name. */
export const chooseNode = (nodes: readonly NodeStatus[], request: PlacementRequest): Placement => {
  const candidates =
    request.target === undefined ? nodes : nodes.filter(({ node }) => node === request.target);
  if (candidates.length === 0) {
    const wanted =
      request.target === undefined
        ? "no node has ever reported"
        : `${request.target}: unknown node`;
    return { kind: "unplaceable", reasons: [wanted] };
  }
  const judged = candidates.map((node) => ({ node, obstacle: findObstacle(node, request) }));
  const fit = judged.filter(({ obstacle }) => obstacle === null).map(({ node }) => node);
  const best = fit.sort((a, b) => compareNodes(a, b, request))[0];
  if (best !== undefined) return { kind: "placed", node: best.node };
  return {
    kind: "unplaceable",
    reasons: judged.map(({ node, obstacle }) => `${node.node}: ${obstacle}`),
  };
};

/** Why the node can't take the group, or null. */
const findObstacle = (node: NodeStatus, request: PlacementRequest): string | null => {
  if (request.allowed.length > 0 && !request.allowed.includes(node.node)) {
    return "not among the project's nodes";
  }
  if (request.avoid?.includes(node.node)) return "to be left";
  const ageMs = request.nowMs - node.atMs;
  if (ageMs > HEARTBEAT_STALE_MS) return `no heartbeat for ${Math.round(ageMs / 1000)} s`;
  const isHome = request.volumes.some(({ owner }) => owner === node.node);
  if (node.cordoned && !isHome) return "cordoned";
  const unmet = [...request.constraints, ...request.containers.flatMap((c) => c.constraints)].find(
    (constraint) => !meets(node, constraint),
  );
  if (unmet !== undefined) {
    const subject = unmet.subject === "id" ? "node.id" : `node.labels.${unmet.key}`;
    return `does not meet ${subject} ${unmet.operator} ${unmet.value}`;
  }
  return findShortage(node, request);
};

const findShortage = (node: NodeStatus, request: PlacementRequest): string | null => {
  const memory = memoryLimits(request.containers);
  const freed = request.memoryFreed.get(node.node) ?? 0;
  const memoryFree = node.memoryBytes - node.memoryReservedBytes + freed;
  if (memory > memoryFree) return `needs ${memory} bytes of memory, has ${memoryFree}`;
  const needed = bytesToBring(node, request);
  if (needed > node.diskFreeBytes)
    return `needs ${needed} bytes of disk, has ${node.diskFreeBytes}`;
  const kept = request.portsKept.get(node.node) ?? new Set();
  for (const { hostPort } of request.containers.flatMap((c) => c.ports)) {
    const taken = node.ports.find((p) => p.port === hostPort && p.project !== request.project);
    if (taken !== undefined) return `port ${hostPort} belongs to project ${taken.project}`;
    if (kept.has(hostPort)) return `port ${hostPort} belongs to another container of the project`;
  }
  return null;
};

/** A container without a limit reserves nothing. */
export const memoryLimits = (containers: readonly ContainerSpec[]): number =>
  containers.reduce((sum, { memLimitBytes }) => sum + (memLimitBytes ?? 0), 0);

/** Bytes of disk that the group's volumes will take on a node that doesn't hold them. */
export const bytesToBring = (
  node: NodeStatus,
  request: Pick<PlacementRequest, "project" | "volumes">,
): number =>
  request.volumes
    .filter(({ name, owner }) => owner !== node.node && !isWarm(node, request.project, name))
    .reduce((sum, { bytes }) => sum + bytes, 0);

const isWarm = (node: NodeStatus, project: ProjectId, volume: VolumeName): boolean =>
  node.warm.some((w) => w.project === project && w.volume === volume);

/** What it has is the newest snapshot itself. */
const isFresh = (node: NodeStatus, project: ProjectId, { name, head }: PlacedVolume): boolean =>
  head != null &&
  node.warm.some((w) => w.project === project && w.volume === name && w.snapshotId === head);

const meets = (
  node: NodeStatus,
  { subject, key, operator, value }: PlacementConstraint,
): boolean => {
  const actual = subject === "id" ? node.node : node.labels[key];
  return (actual === value) === (operator === "==");
};

const compareNodes = (a: NodeStatus, b: NodeStatus, request: PlacementRequest): number => {
  const sizeOf = (volumes: readonly PlacedVolume[]) =>
    volumes.reduce((sum, { bytes }) => sum + 1 + bytes, 0);
  const owned = (n: NodeStatus) => sizeOf(request.volumes.filter((v) => v.owner === n.node));
  const standby = (n: NodeStatus) =>
    sizeOf(request.volumes.filter((v) => v.standbys?.includes(n.node) ?? false));
  const warm = (n: NodeStatus) =>
    sizeOf(request.volumes.filter(({ name }) => isWarm(n, request.project, name)));
  const fresh = (n: NodeStatus) =>
    sizeOf(request.volumes.filter((v) => isFresh(n, request.project, v)));
  const late = (n: NodeStatus) =>
    Number(request.isAfterLoss === true && request.nowMs - n.atMs > HEARTBEAT_LATE_MS);
  return (
    late(a) - late(b) ||
    owned(b) - owned(a) ||
    standby(b) - standby(a) ||
    warm(b) - warm(a) ||
    fresh(b) - fresh(a) ||
    a.containerCount - b.containerCount ||
    b.diskFreeBytes - a.diskFreeBytes ||
    (a.node < b.node ? -1 : 1)
  );
};
