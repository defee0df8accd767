/**
 * What it takes to go back to an earlier deploy: its commit, its data, or both. Its data are those that its
 * version left behind: the final snapshots that were taken when a later deploy replaced it.
 */
import type { CommitId, SnapshotId, VolumeName } from "../ids.ts";
import { keysOf } from "../keys-of.ts";
import type { EndedDeploy, ProjectState, SnapshotRef } from "../record.ts";

export interface RollbackRequest {
  /** Begins the id of a deploy; null: the one before the last that was deployed. */
  readonly to: string | null;
  readonly code: boolean;
  readonly data: boolean;
}

export type RollbackPlan =
  | {
      readonly kind: "planned";
      readonly target: EndedDeploy;
      /** What shall run: the target's commit, or the one that runs now. */
      readonly commit: CommitId;
      /** By volume, what it shall go back to. A volume that nothing replaced since is not in it. */
      readonly restore: Readonly<Record<VolumeName, SnapshotRef>>;
    }
  | { readonly kind: "impossible"; readonly reason: string; readonly hint: string };

export const planRollback = (state: ProjectState, request: RollbackRequest): RollbackPlan => {
  const { project, history } = state;
  const deployed = history.filter(({ result }) => result === "deployed");
  const at =
    request.to === null
      ? deployed.length - 2
      : deployed.findIndex(({ id }) => id.startsWith(request.to ?? ""));
  const target = deployed[at];
  if (target === undefined) {
    const what = request.to === null ? "an earlier deploy" : `a deploy ${request.to}`;
    return impossible(`the record holds no ${what} that was deployed`, `bagage history ${project}`);
  }
  const commit = request.code ? target.commit : state.commit;
  if (commit === null) {
    return impossible("no commit runs now", "name what shall run: bagage deploy --commit");
  }
  const restore: Record<VolumeName, SnapshotRef> = {};
  if (request.data) {
    for (const name of keysOf(state.volumes)) {
      const id = findLeft(deployed.slice(at + 1), name);
      if (id === null) continue;
      const kept = state.volumes[name]?.snapshots.find((snapshot) => snapshot.id === id);
      if (kept === undefined) {
        const reason = `snapshot ${id} of volume ${name} is not retained any more`;
        return impossible(reason, `choose among: bagage snapshots ${project} ${name}`);
      }
      restore[name] = kept;
    }
    if (keysOf(restore).length === 0 && !request.code) {
      const reason = `no volume was replaced since deploy ${target.id}`;
      return impossible(reason, `bagage history ${project}`);
    }
  }
  return { kind: "planned", target, commit, restore };
};

/** What the version before the first of these deploys left of the volume. */
const findLeft = (later: readonly EndedDeploy[], name: VolumeName): SnapshotId | null => {
  const first = later.find(({ volumes }) => (volumes[name]?.sealed ?? null) !== null);
  return first?.volumes[name]?.sealed?.id ?? null;
};

const impossible = (reason: string, hint: string): RollbackPlan => ({
  kind: "impossible",
  reason,
  hint,
});
