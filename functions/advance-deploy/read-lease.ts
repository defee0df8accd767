/** What a node's lease object says now: of a project's volumes, or of a session that is over. */
import { leaseKey } from "../../adapters/store-keys.ts";
import type { Input } from "../../workflows/deploy/messages.ts";
import { type NodeId, VolumeName } from "../../workflows/ids.ts";
import { guardedVolumes, Lease } from "../../workflows/node/lease.ts";
import type { ProjectState } from "../../workflows/record.ts";
import type { ControlPorts } from "../control-ports.ts";
import { readJsonObject } from "../json-object.ts";
import type { LeaseExpired } from "../messages.ts";
import { deployIdOf } from "../request-deploy.ts";
import { readNodes } from "./read-nodes.ts";

/**
 * What the node guards at this moment. To be read after the record that it is folded into: so it
 * says nothing that was true only before that record.
 */
export const readHeldLease = async (
  { store }: Pick<ControlPorts, "store">,
  { project }: ProjectState,
  node: NodeId,
  signal: AbortSignal,
): Promise<Input | null> => {
  const lease = await readJsonObject(store, leaseKey(node), Lease, signal);
  if (lease === null) return null;
  const volumes = guardedVolumes(lease, project).map((name) => VolumeName.parse(name));
  return { type: "lease.held", node, session: lease.session, volumes };
};

/**
 * The input that the message tells of; null when the node has begun another session since. To be read
 * after the record that it is folded into: what that forbids, no session that begins later can do.
 */
export const readExpiredLease = async (
  ports: Pick<ControlPorts, "store" | "nowMs" | "newUuid">,
  { project, node, session }: LeaseExpired,
  signal: AbortSignal,
): Promise<Input | null> => {
  const lease = await readJsonObject(ports.store, leaseKey(node), Lease, signal);
  if (lease?.session !== session) return null;
  const requestId = `failover.${node}.${session}.${ports.newUuid()}`;
  return {
    type: "lease.expired",
    node,
    session,
    nowMs: ports.nowMs(),
    replacement: {
      requestId,
      deployId: deployIdOf(project, requestId),
      nodes: await readNodes(ports, signal),
    },
  };
};
