/**
 * Gives up a node for good, on an operator's word: what it alone has is lost, and stays on its disk as
 * branches should it ever come back.
 */
import { cordonKey, heartbeatKey, leaseKey } from "../adapters/store-keys.ts";
import { type NodeId, ProjectId, type SnapshotId, type VolumeName } from "../workflows/ids.ts";
import { keysOf } from "../workflows/keys-of.ts";
import { guardedProjects, Lease } from "../workflows/node/lease.ts";
import { advanceProject } from "./advance-deploy/advance-project.ts";
import { readNodes } from "./advance-deploy/read-nodes.ts";
import type { ControlPorts } from "./control-ports.ts";
import { readNode } from "./drain-node.ts";
import { elapsedMs } from "./elapsed-ms.ts";
import { readJsonObject } from "./json-object.ts";
import { projectsOn } from "./projects-on-node.ts";
import { deployIdOf } from "./request-deploy.ts";

export interface AtStake {
  readonly project: ProjectId;
  readonly volume: VolumeName;
  /** What it would go on from; null: nothing at all. */
  readonly snapshotId: SnapshotId | null;
  /** Writes of no longer ago than this may be lost. */
  readonly windowMs: number | null;
}

/** The volumes that only this node has the newest data of. */
export const findAtStake = async (
  ports: ControlPorts,
  node: NodeId,
  signal: AbortSignal,
): Promise<AtStake[]> => {
  const found: AtStake[] = [];
  for (const project of await findProjects(ports, node, signal)) {
    const volumes = (await ports.records.load(project, signal))?.state.volumes ?? {};
    for (const volume of keysOf<VolumeName>(volumes)) {
      const one = volumes[volume];
      if (one?.owner !== node) continue;
      const windowMs = one.head === null ? null : elapsedMs(one.head.takenAtMs, ports.nowMs());
      found.push({ project, volume, snapshotId: one.head?.id ?? null, windowMs });
    }
  }
  return found;
};

/** Its projects go on elsewhere where a node fits; it is no longer counted as a node. */
export const forgetNode = async (
  ports: ControlPorts,
  node: NodeId,
  acceptedBy: string,
  signal: AbortSignal,
): Promise<ProjectId[]> => {
  const projects = await findProjects(ports, node, signal);
  const nodes = (await readNodes(ports, signal)).filter((status) => status.node !== node);
  for (const project of projects) {
    const requestId = `forget.${node}.${ports.newUuid()}`;
    const replacement = { requestId, deployId: deployIdOf(project, requestId), nodes };
    const nowMs = ports.nowMs();
    const input = { type: "node.lost" as const, node, nowMs, acceptedBy, replacement };
    await advanceProject(ports, { project, input, resend: false }, signal);
  }
  await ports.store.delete([heartbeatKey(node), leaseKey(node), cordonKey(node)], signal);
  return projects;
};

/** What it runs or owns, and what it holds beside that, like warm copies, by its own last words. */
const findProjects = async (
  ports: ControlPorts,
  node: NodeId,
  signal: AbortSignal,
): Promise<ProjectId[]> => {
  const { projects = [], warm } = await readNode(ports, node, signal);
  const lease = await readJsonObject(ports.store, leaseKey(node), Lease, signal);
  const guarded = lease === null ? [] : guardedProjects(lease);
  const named = [...projects, ...warm.map(({ project }) => project), ...guarded];
  const known = new Set((await projectsOn(ports, node, signal)).map(({ project }) => project));
  for (const project of named.map((name) => ProjectId.parse(name))) {
    if (known.has(project)) continue;
    if ((await ports.records.load(project, signal)) !== null) known.add(project);
  }
  return [...known];
};
