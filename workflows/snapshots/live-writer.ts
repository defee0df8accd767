/** Who may take a snapshot of a volume outside a deploy. */
import type { NodeId, VolumeName } from "../ids.ts";
import type { ProjectState } from "../record.ts";

/** Whether a running deploy moves the volume: it then needs the restore points that it began with. */
export const isMoving = ({ deploy }: ProjectState, name: VolumeName): boolean =>
  deploy?.volumes[name] !== undefined;

/** The node whose containers write the volume now; null: nobody writes, or a deploy has drained it. */
export const liveWriter = (state: ProjectState, name: VolumeName): NodeId | null => {
  const owner = state.volumes[name]?.owner ?? null;
  const hasDrained = isMoving(state, name) && state.deploy?.phase.name !== "copying";
  return hasDrained ? null : owner;
};
