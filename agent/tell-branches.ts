/**
 * Tells of data that this node keeps aside, until the record knows of them: they are offered there,
 * with their size and newest change, and nobody has to go and look for them.
 */
import { dataPath } from "../adapters/node-disk.ts";
import { isSameBranch } from "../workflows/deploy/keep-branch.ts";
import type { Branch, ProjectState } from "../workflows/record.ts";
import type { AgentPorts } from "./reconcile-project.ts";

export interface BranchTeller {
  /** Whether the record knew all of them already. */
  tell(state: ProjectState, signal: AbortSignal): Promise<boolean>;
}

const REASON = "another copy became the volume";

export const createBranchTeller = (ports: AgentPorts): BranchTeller => {
  const measured = new Map<string, Branch>();
  return {
    tell: async (state, signal) => {
      const { project } = state;
      let isKnown = true;
      for (const volume of await ports.disk.listVolumes(project)) {
        const known = state.volumes[volume]?.branches;
        if (known === undefined) continue;
        for (const { role, epoch, path } of await ports.disk.listCopies(project, volume)) {
          const place = { node: ports.node, epoch };
          if (role !== "branch" || known.some((branch) => isSameBranch(branch, place))) continue;
          isKnown = false;
          const branch = measured.get(path) ?? (await measure(ports, place, path, signal));
          measured.set(path, branch);
          const message = { type: "branch.kept", version: 1, project, volume, branch };
          await ports.sendToControl(message, signal);
        }
      }
      return isKnown;
    },
  };
};

const measure = async (
  ports: AgentPorts,
  place: Pick<Branch, "node" | "epoch">,
  path: string,
  signal: AbortSignal,
): Promise<Branch> => {
  const whole = { directory: dataPath(path), indexFile: null };
  const { bytes, changedAtMs } = await ports.volumes.measure(whole, signal);
  const keptAtMs = ports.nowMs();
  return { ...place, keptAtMs, bytes, reason: REASON, changedAtMs, snapshotId: null };
};
