/** A new snapshot, or a new standby: who keeps it at hand reads the record when it is told. */
import type { NodeId } from "../../workflows/ids.ts";
import { owedStandbys } from "../../workflows/node/owed-standbys.ts";
import type { ProjectState } from "../../workflows/record.ts";
import type { ControlPorts } from "../control-ports.ts";
import { nodeQueue } from "../messages.ts";

export const hintStandbys = async (
  ports: Pick<ControlPorts, "send">,
  before: ProjectState,
  now: ProjectState,
  signal: AbortSignal,
): Promise<void> => {
  const message = { type: "node.hint", version: 1, project: now.project };
  const nodes = standbysToTell(before, now);
  await Promise.all(nodes.map((node) => ports.send(nodeQueue(node), message, signal)));
};

const standbysToTell = (before: ProjectState, now: ProjectState): NodeId[] => {
  const all = new Set(Object.values(now.volumes).flatMap(({ standbys }) => standbys));
  return [...all].filter((node) => {
    const owed = owedStandbys(now, node);
    return owed.length > 0 && JSON.stringify(owed) !== JSON.stringify(owedStandbys(before, node));
  });
};
