/**
 * duties(state) → everything outstanding. Derived from the record alone, so that a lost message
 * costs a delay and nothing else: whoever looks again finds the same duties and sends them again.
 */
import type { DeployId, NodeId, ProjectId, SnapshotId, VolumeName } from "../ids.ts";
import { keysOf } from "../keys-of.ts";
import { mayPublish, owedPublication } from "../publish/owed-publication.ts";
import type { ProjectState } from "../record.ts";
import { liveWriter } from "../snapshots/live-writer.ts";
import type { OwedReplacement } from "./owed-replacement.ts";

export type Duty =
  /** Resolve and plan the desired deploy. */
  | { readonly kind: "plan"; readonly project: ProjectId; readonly requestId: string }
  /** A node owes the deploy a step. */
  | {
      readonly kind: "step";
      readonly project: ProjectId;
      readonly deployId: DeployId;
      readonly step: string;
      readonly node: NodeId;
    }
  /** A node owes a volume's snapshot that somebody asked for. */
  | {
      readonly kind: "snapshot";
      readonly project: ProjectId;
      readonly volume: VolumeName;
      readonly node: NodeId;
    }
  /** Try again to bring back what a lost node ran, once that is due. */
  | { readonly kind: "replace"; readonly project: ProjectId; readonly owed: OwedReplacement }
  /** Write the receipt of an ended deploy. */
  | { readonly kind: "archive"; readonly project: ProjectId; readonly deployId: DeployId }
  /** Bring a volume's files into the project's bucket, or out of it. */
  | {
      readonly kind: "publish";
      readonly project: ProjectId;
      readonly volume: VolumeName;
      /** What shall be there in the end; null: nothing. */
      readonly target: SnapshotId | null;
      /** Until then somebody is at it. */
      readonly claimedUntilMs: number;
    };

export const duties = (state: ProjectState): Duty[] => {
  const { project, desired, deploy, history, owedReplacement: owed } = state;
  const canReplace = owed !== null && deploy === null && desired === null;
  const canPlan = desired !== null && (deploy === null || deploy.phase.name === "copying");
  return [
    ...(canPlan ? [{ kind: "plan" as const, project, requestId: desired.requestId }] : []),
    ...(canReplace ? [{ kind: "replace" as const, project, owed }] : []),
    ...(deploy?.phase.awaits ?? []).map(({ step, node }) => ({
      kind: "step" as const,
      project,
      deployId: (deploy as NonNullable<typeof deploy>).id,
      step,
      node,
    })),
    ...keysOf(state.volumes).flatMap((volume) => {
      const node = liveWriter(state, volume);
      const isOwed = (state.volumes[volume]?.requests.length ?? 0) > 0;
      return node !== null && isOwed ? [{ kind: "snapshot" as const, project, volume, node }] : [];
    }),
    ...history
      .filter(({ archived }) => !archived)
      .map(({ id }) => ({ kind: "archive" as const, project, deployId: id })),
    ...publishDuties(state),
  ];
};

const publishDuties = (state: ProjectState): Duty[] =>
  keysOf(state.volumes).flatMap((name) => {
    const volume = state.volumes[name];
    const owed = volume === undefined ? null : owedPublication(volume);
    if (volume === undefined || owed === null || !mayPublish(state)) return [];
    const target = owed.kind === "publish" ? owed.target : null;
    const claimedUntilMs = volume.publication?.claim?.untilMs ?? 0;
    const { project } = state;
    return [{ kind: "publish" as const, project, volume: name, target, claimedUntilMs }];
  });

/** Whether anything is outstanding, so that the sweep has to look at the project again. */
export const isOpen = (state: ProjectState): boolean => duties(state).length > 0;
