/** What the node tells of itself every few seconds: where the placement's knowledge comes from. */
import { heartbeatKey } from "../adapters/store-keys.ts";
import { memoryOf, nodeLabels, parseLabels } from "../functions/container-names.ts";
import { encodeJson } from "../functions/json-object.ts";
import { NodeStatus, type WarmVolume } from "../workflows/placement/node-status.ts";
import type { AgentPorts } from "./reconcile-project.ts";

export const HEARTBEAT_EVERY_MS = 10_000;

export interface NodeIdentity {
  readonly address: string;
  readonly doorPort?: number | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly version: string;
  readonly cordoned: boolean;
}

export const sendHeartbeat = async (
  ports: AgentPorts,
  identity: NodeIdentity,
  signal: AbortSignal,
): Promise<NodeStatus> => {
  const info = await ports.docker.info(signal);
  const containers = await ports.docker.listContainers(nodeLabels(ports.node), signal);
  const running = containers.filter(({ state }) => state === "running");
  const status: NodeStatus = NodeStatus.parse({
    node: ports.node,
    bootId: ports.bootId,
    version: identity.version,
    address: identity.address,
    doorPort: identity.doorPort,
    atMs: ports.nowMs(),
    labels: identity.labels,
    cpus: info.cpus,
    memoryBytes: info.memoryBytes,
    memoryReservedBytes: running.reduce((sum, { labels }) => sum + memoryOf(labels), 0),
    diskFreeBytes: await ports.disk.freeBytes(),
    containerCount: running.length,
    ports: ports.gates
      .list()
      .flatMap(({ project, orders }) =>
        orders.map(({ hostPort }) => ({ port: hostPort, project })),
      ),
    warm: await listWarm(ports),
    projects: [
      ...new Set([
        ...(await ports.disk.listProjects()),
        ...containers.flatMap(({ labels }) => parseLabels(labels)?.project ?? []),
      ]),
    ],
    cordoned: identity.cordoned,
  });
  await ports.store.put(heartbeatKey(ports.node), encodeJson(status), {}, signal);
  return status;
};

/** Copies that would make a move here cheap. */
export const listWarm = async (ports: AgentPorts): Promise<WarmVolume[]> => {
  const warm: WarmVolume[] = [];
  for (const project of await ports.disk.listProjects()) {
    for (const volume of await ports.disk.listVolumes(project)) {
      for (const { role, epoch, marker } of await ports.disk.listCopies(project, volume)) {
        if (role === "branch") continue;
        const snapshotId = marker?.snapshotId ?? null;
        warm.push({ project, volume, epoch, snapshotId, bytes: marker?.bytes ?? 0 });
      }
    }
  }
  return warm;
};
