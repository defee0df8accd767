/**
 * Empties a node: from then on it takes nothing new, and all that runs there moves by ordinary
 * deploys, each with its short gap.
 */
import { randomUUID } from "node:crypto";
import { cordonKey } from "../adapters/store-keys.ts";
import { TerminalError } from "../volume/errors.ts";
import type { DeployId, NodeId, ProjectId } from "../workflows/ids.ts";
import type { NodeStatus } from "../workflows/placement/node-status.ts";
import { readNodes } from "./advance-deploy/read-nodes.ts";
import type { ControlPorts } from "./control-ports.ts";
import { encodeJson } from "./json-object.ts";
import { projectsOn } from "./projects-on-node.ts";
import { hintRequest, recordRequest } from "./request-deploy.ts";

export interface Drained {
  readonly project: ProjectId;
  readonly deployId: DeployId;
}

/** Safe to repeat; with the same id nothing is asked for twice. */
export const drainNode = async (
  ports: ControlPorts,
  { node, id }: { readonly node: NodeId; readonly id?: string | undefined },
  signal: AbortSignal,
): Promise<Drained[]> => {
  await readNode(ports, node, signal);
  await ports.store.put(cordonKey(node), encodeJson({ atMs: ports.nowMs() }), {}, signal);
  const drained: Drained[] = [];
  for (const { project, settings, commit } of await projectsOn(ports, node, signal)) {
    const requestId = `drain.${node}.${id ?? randomUUID()}`;
    const request = {
      requestId,
      trigger: "drain" as const,
      ref: settings.ref,
      ...(commit !== null && { commit }),
      avoid: [node],
      force: false,
      restore: {},
      acceptLoss: false,
      requestedAtMs: ports.nowMs(),
    };
    const { deployId } = await recordRequest(ports, project, request, signal);
    await hintRequest(ports, project, requestId, signal);
    drained.push({ project, deployId });
  }
  return drained;
};

export const uncordonNode = async (
  ports: Pick<ControlPorts, "store" | "nowMs">,
  node: NodeId,
  signal: AbortSignal,
): Promise<void> => {
  await readNode(ports, node, signal);
  await ports.store.delete([cordonKey(node)], signal);
};

/** What the node last said of itself; throws TerminalError `unknown-node`. */
export const readNode = async (
  ports: Pick<ControlPorts, "store" | "nowMs">,
  node: NodeId,
  signal: AbortSignal,
): Promise<NodeStatus> => {
  const status = (await readNodes(ports, signal)).find((found) => found.node === node);
  if (status !== undefined) return status;
  throw new TerminalError(`no node ${node} has ever reported`, {
    code: "unknown-node",
    hint: "bagage nodes",
  });
};
