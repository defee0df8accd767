/** Which of a node's volumes are due for a snapshot: by their schedule, or because somebody asked. */
import type { Epoch, NodeId, VolumeName } from "../ids.ts";
import { keysOf } from "../keys-of.ts";
import type { ProjectState } from "../record.ts";
import { liveWriter } from "./live-writer.ts";

export interface DueSnapshot {
  readonly volume: VolumeName;
  readonly epoch: Epoch;
  /** The number that it would have in the volume's sequence. */
  readonly sequence: number;
  /** The schedule; null: there is none. */
  readonly everyMs: number | null;
  /** When the schedule wants it; null: there is none. */
  readonly dueAtMs: number | null;
  /** Requests that it would answer. */
  readonly requestIds: readonly string[];
}

/** Of every volume that the node may snapshot now and that has a schedule or a request. */
export const dueSnapshots = (state: ProjectState, node: NodeId): DueSnapshot[] =>
  keysOf(state.volumes).flatMap((name) => {
    const volume = state.volumes[name];
    if (volume === undefined || liveWriter(state, name) !== node) return [];
    const { epoch, sequence, settings, head, tries, requests } = volume;
    const lastAtMs = Math.max(head?.takenAtMs ?? 0, tries.at(-1)?.atMs ?? 0);
    const everyMs = settings.snapshotEveryMs ?? null;
    const dueAtMs = everyMs === null ? null : lastAtMs + everyMs;
    const requestIds = requests.map(({ id }) => id);
    if (dueAtMs === null && requestIds.length === 0) return [];
    return [{ volume: name, epoch, sequence, everyMs, dueAtMs, requestIds }];
  });
