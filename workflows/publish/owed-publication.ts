/** What a volume's published files still lack. Derived from the record, so that no message counts. */
import type { SnapshotId } from "../ids.ts";
import type { ProjectState, VolumeState } from "../record.ts";
import { UNPUBLISHED } from "./publication.ts";

export type OwedPublication =
  /** Bring the snapshot's files there; `base` are those that are there, null: not known. */
  | {
      readonly kind: "publish";
      readonly target: SnapshotId;
      readonly base: SnapshotId | null;
      readonly generation: number;
    }
  /** The file no longer says `publish`: take away what is there. */
  | { readonly kind: "withdraw" };

type Publishing = Pick<VolumeState, "settings" | "head" | "publication">;

/** Null: nothing is owed, or it can't be done before there is a new snapshot. */
export const owedPublication = (volume: Publishing): OwedPublication | null => {
  const { snapshotId, target, failure, generation } = volume.publication ?? UNPUBLISHED;
  const head = volume.head?.id ?? null;
  if (failure !== null && failure.head === head) return null;
  if (volume.settings.publish === undefined) {
    return volume.publication === undefined || volume.publication === null
      ? null
      : { kind: "withdraw" };
  }
  if (target !== null) return { kind: "publish", target, base: snapshotId, generation };
  return head === null || head === snapshotId
    ? null
    : { kind: "publish", target: head, base: snapshotId, generation };
};

/** Between the drain and the end of a deploy nothing may compete with what clients wait for. */
export const mayPublish = ({ deploy }: Pick<ProjectState, "deploy">): boolean =>
  deploy === null || deploy.phase.name === "copying";
