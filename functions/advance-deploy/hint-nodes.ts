/**
 * Nodes that a revision has news for, beside the steps that they are sent. Each is told once, and
 * reads the rest in the record.
 */
import { newNodes, oldNodes } from "../../workflows/deploy/steps.ts";
import type { NodeId, Revision } from "../../workflows/ids.ts";
import { keysOf } from "../../workflows/keys-of.ts";
import { owedStandbys } from "../../workflows/node/owed-standbys.ts";
import type { ProjectState } from "../../workflows/record.ts";
import type { ControlPorts } from "../control-ports.ts";
import { type NodeHint, nodeQueue } from "../messages.ts";

export const hintNodes = async (
  ports: Pick<ControlPorts, "send">,
  before: ProjectState,
  { state, rev }: { readonly state: ProjectState; readonly rev: Revision },
  signal: AbortSignal,
): Promise<void> => {
  const message: NodeHint = { type: "node.hint", version: 1, project: state.project, rev };
  const nodes = new Set([
    ...nodesOfEnded(before, state),
    ...ownersToTell(before, state),
    ...standbysToTell(before, state),
  ]);
  await Promise.all([...nodes].map((node) => ports.send(nodeQueue(node), message, signal)));
};

/** A deploy that ended changed what its nodes may serve: gates open, old copies become caches. */
const nodesOfEnded = ({ deploy }: ProjectState, now: ProjectState): NodeId[] =>
  deploy === null || now.deploy?.id === deploy.id ? [] : [...oldNodes(deploy), ...newNodes(deploy)];

/** Settings of a volume that changed without a deploy. */
const ownersToTell = (before: ProjectState, now: ProjectState): NodeId[] =>
  keysOf(now.volumes).flatMap((name) => {
    const [old, volume] = [before.volumes[name], now.volumes[name]];
    const owner = volume?.owner ?? null;
    if (old === undefined || owner === null || old.owner !== owner) return [];
    return JSON.stringify(old.settings) === JSON.stringify(volume?.settings) ? [] : [owner];
  });

/** A new snapshot, or a new standby. */
const standbysToTell = (before: ProjectState, now: ProjectState): NodeId[] =>
  Object.values(now.volumes)
    .flatMap(({ standbys }) => standbys)
    .filter((node) => {
      const owed = owedStandbys(now, node);
      return owed.length > 0 && JSON.stringify(owed) !== JSON.stringify(owedStandbys(before, node));
    });
