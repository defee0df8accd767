/** All that a project lets go of once a deploy or a restore point is gone, by one look at its record. */
import type { CollectReport } from "../../volume/collect.ts";
import type { VolumeName } from "../../workflows/ids.ts";
import type { ProjectState } from "../../workflows/record.ts";
import type { VolumePlace } from "../../workflows/snapshots/snapshot-notes.ts";
import { deleteTaken } from "../bring-in/delete-taken.ts";
import { dropTakenNotes } from "../bring-in/drop-taken-notes.ts";
import type { ControlPorts } from "../control-ports.ts";
import { findSpace } from "../spaces/space.ts";
import { collectPorts, collectProject } from "./collect-project.ts";
import { releaseSources } from "./release-sources.ts";

export interface Collected {
  readonly collected: Record<VolumeName, CollectReport>;
  readonly released: readonly VolumePlace[];
  /** Objects of the inbox that went. */
  readonly taken: number;
}

export const collectAll = async (
  ports: ControlPorts,
  state: ProjectState,
  signal: AbortSignal,
): Promise<Collected> => {
  const place = collectPorts(ports);
  const collected = await collectProject(place, state, false, signal);
  const released = await releaseSources(ports, state, signal);
  // Without a bucket nothing was ever taken from it.
  const space = await findSpace(ports, state.project, signal);
  if (space === null) return { collected, released, taken: 0 };
  await dropTakenNotes(place, state, signal);
  return { collected, released, taken: await deleteTaken(ports, state, space, signal) };
};
