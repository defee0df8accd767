/** Settings of a volume that changed without a deploy: its owner reads them when it is told. */
import type { NodeId } from "../../workflows/ids.ts";
import { keysOf } from "../../workflows/keys-of.ts";
import type { ProjectState } from "../../workflows/record.ts";
import type { ControlPorts } from "../control-ports.ts";
import { nodeQueue } from "../messages.ts";

export const hintOwners = async (
  ports: Pick<ControlPorts, "send">,
  before: ProjectState,
  now: ProjectState,
  signal: AbortSignal,
): Promise<void> => {
  const message = { type: "node.hint", version: 1, project: now.project };
  const owners = ownersToTell(before, now);
  await Promise.all(owners.map((node) => ports.send(nodeQueue(node), message, signal)));
};

const ownersToTell = (before: ProjectState, now: ProjectState): NodeId[] => [
  ...new Set(
    keysOf(now.volumes).flatMap((name) => {
      const [old, volume] = [before.volumes[name], now.volumes[name]];
      const owner = volume?.owner ?? null;
      if (old === undefined || owner === null || old.owner !== owner) return [];
      return JSON.stringify(old.settings) === JSON.stringify(volume?.settings) ? [] : [owner];
    }),
  ),
];
