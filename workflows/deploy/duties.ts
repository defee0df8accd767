/**
 * duties(state) → everything outstanding. Derived from the record alone, so that a lost message
 * costs a delay and nothing else: whoever looks again finds the same duties and sends them again.
 */
import type { DeployId, NodeId, ProjectId } from "../ids.ts";
import type { ProjectState } from "../record.ts";

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
    ...history
      .filter(({ archived }) => !archived)
      .map(({ id }) => ({ kind: "archive" as const, project, deployId: id })),
  ];
};

/** Whether anything is outstanding, so that the sweep has to look at the project again. */
export const isOpen = (state: ProjectState): boolean => duties(state).length > 0;
