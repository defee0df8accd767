/** Notes which session of its owner's lease guards a volume, as the lease object itself says. */
import { mapRecord } from "../keys-of.ts";
import type { ProjectState } from "../record.ts";
import { changed, type Decision, type InputOf, UNCHANGED } from "./messages.ts";

export const holdLease = (state: ProjectState, input: InputOf<"lease.held">): Decision => {
  const { node, session } = input;
  let isNews = false;
  const volumes = mapRecord(state.volumes, (volume, name) => {
    const isHeld =
      volume.owner === node &&
      volume.settings.onNodeLoss === "restore" &&
      input.volumes.includes(name) &&
      session > (volume.lease ?? 0);
    if (!isHeld) return volume;
    isNews = true;
    return { ...volume, lease: session };
  });
  const event = { type: "lease.held", data: { project: state.project, node, session } };
  return isNews ? changed({ ...state, volumes }, event) : UNCHANGED;
};
