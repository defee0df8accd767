/**
 * duties(state) → everything outstanding. Derived from the record alone, so that a lost message
 * costs a delay and nothing else: whoever looks again finds the same duties and sends them again.
 */
import type { DeployId, NodeId, ProjectId, VolumeName } from "../ids.ts";
import { keysOf } from "../keys-of.ts";
import type { ProjectState } from "../record.ts";
import { liveWriter } from "../snapshots/live-writer.ts";

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
  /** Write the receipt of an ended deploy. */
  | { readonly kind: "archive"; readonly project: ProjectId; readonly deployId: DeployId };

export const duties = (state: ProjectState): Duty[] => {
  const { project, desired, deploy, history } = state;
  const canPlan = desired !== null && (deploy === null || deploy.phase.name === "copying");
  return [
    ...(canPlan ? [{ kind: "plan" as const, project, requestId: desired.requestId }] : []),
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
  ];
};

/** Whether anything is outstanding, so that the sweep has to look at the project again. */
export const isOpen = (state: ProjectState): boolean => duties(state).length > 0;
