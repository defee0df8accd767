/**
 * Two machines must never be one node: a copied disk brings the name, the fences and the volumes with
 * it. Each boot has an id of the kernel's own; whose heartbeats go on under the name is the node.
 */
import { heartbeatKey } from "../adapters/store-keys.ts";
import { readJsonObject } from "../functions/json-object.ts";
import { TerminalError } from "../volume/errors.ts";
import type { NodeId } from "../workflows/ids.ts";
import { NodeStatus } from "../workflows/placement/node-status.ts";
import { HEARTBEAT_EVERY_MS } from "./heartbeat.ts";
import type { AgentPorts } from "./reconcile-project.ts";

/** A heartbeat this old is nobody's who is still there. */
const SILENT_MS = 3 * HEARTBEAT_EVERY_MS;
const LOOK_EVERY_MS = 1_000;

type ClonePorts = Pick<AgentPorts, "node" | "bootId" | "store" | "nowMs">;

/** Another boot's heartbeat under our name, or null. */
const readOther = async (ports: ClonePorts, signal: AbortSignal): Promise<NodeStatus | null> => {
  const found = await readJsonObject(ports.store, heartbeatKey(ports.node), NodeStatus, signal);
  return found !== null && found.bootId !== ports.bootId ? found : null;
};

const cloned = (node: NodeId, other: NodeStatus): TerminalError =>
  new TerminalError(`another machine (boot ${other.bootId}) is running as node ${node}`, {
    code: "node-cloned",
    hint: "give this machine its own BAGAGE_NODE and an empty BAGAGE_NODE_ROOT",
  });

/**
 * Before anything is touched: waits until it is clear that nobody else beats under our name. A
 * machine that was just rebooted waits out its own last heartbeat.
 */
export const awaitSoleOwner = async (
  ports: ClonePorts,
  sleep: (ms: number, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> => {
  const first = await readOther(ports, signal);
  if (first === null) return;
  const deadlineMs = ports.nowMs() + Math.max(0, SILENT_MS - Math.abs(ports.nowMs() - first.atMs));
  while (ports.nowMs() < deadlineMs) {
    await sleep(LOOK_EVERY_MS, signal);
    const now = await readOther(ports, signal);
    if (now === null) return;
    if (now.atMs !== first.atMs) throw cloned(ports.node, now);
  }
};

/** While running: another boot's heartbeat in our place ends this agent, and with it its gates. */
export const refuseClone = async (ports: ClonePorts, signal: AbortSignal): Promise<void> => {
  const other = await readOther(ports, signal);
  if (other !== null) throw cloned(ports.node, other);
};
