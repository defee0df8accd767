/** What the record asks of this node's branches: a snapshot, so that others get at it, or its end. */
import { writeVolumeSnapshot } from "../functions/snapshot-volume/write-volume-snapshot.ts";
import { type Epoch, SnapshotId, type VolumeName } from "../workflows/ids.ts";
import { keysOf } from "../workflows/keys-of.ts";
import type { Branch, ProjectState, SnapshotRef } from "../workflows/record.ts";
import type { AgentPorts } from "./reconcile-project.ts";

export interface BranchTender {
  /** Whether nothing is left to do. */
  tend(state: ProjectState, signal: AbortSignal): Promise<boolean>;
}

export const createBranchTender = (ports: AgentPorts): BranchTender => {
  /** Snapshots that the record does not know yet. */
  const taken = new Map<string, SnapshotRef>();
  return {
    tend: async (state, signal) => {
      const { project } = state;
      let isDone = true;
      for (const volume of keysOf<VolumeName>(state.volumes)) {
        for (const branch of state.volumes[volume]?.branches ?? []) {
          if (branch.node !== ports.node) continue;
          const path = ports.disk.pathOf(project, volume, "branch", branch.epoch);
          const copies = await ports.disk.listCopies(project, volume);
          if (!copies.some((copy) => copy.path === path)) continue;
          if (branch.droppedAtMs !== undefined) {
            await ports.disk.remove(path);
            ports.log.info({ project, volume, epoch: branch.epoch }, "branch.dropped");
          } else if (branch.wantedAtMs !== undefined && branch.snapshotId === null) {
            isDone = false;
            const key = `${path} ${state.volumes[volume]?.epoch}`;
            const snapshot =
              taken.get(key) ?? (await take(ports, state, { volume, branch, path }, signal));
            taken.set(key, snapshot);
            const { node, epoch } = branch;
            const message = { version: 1, project, volume, node, epoch, snapshot };
            await ports.sendToControl({ type: "branch.saved", ...message }, signal);
          }
        }
      }
      return isDone;
    },
  };
};

/** Built on nothing, under the volume's epoch of now: so nobody collects it before it is referred to. */
const take = async (
  ports: AgentPorts,
  state: ProjectState,
  target: { readonly volume: VolumeName; readonly branch: Branch; readonly path: string },
  signal: AbortSignal,
): Promise<SnapshotRef> => {
  const { volume: name, branch, path: copy } = target;
  const token = ports.newToken();
  const label = `branch-${branch.node}-e${branch.epoch}`;
  const { snapshot } = await writeVolumeSnapshot(
    ports,
    {
      ...{ state, name, copy, kind: "live", stopped: "killed", deployId: null },
      epoch: state.volumes[name]?.epoch as Epoch,
      snapshotId: SnapshotId.parse(`branch-e${branch.epoch}-${token}`),
      attempt: `${label}.${token}`,
      parents: [],
      repack: false,
    },
    signal,
  );
  return snapshot;
};
