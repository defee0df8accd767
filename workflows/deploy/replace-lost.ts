/**
 * The deploy that takes a lost node's place: the same containers, as the record has them (a
 * repository that does not answer must not be in the way), on the last committed snapshots.
 */
import type { ProjectSpec } from "../container-spec.ts";
import type { CommitId, NodeId } from "../ids.ts";
import { mapRecord } from "../keys-of.ts";
import type { Desired, ProjectState } from "../record.ts";
import { beginDeploy } from "./begin-deploy.ts";
import type { Replacement } from "./messages.ts";
import { planDeploy } from "./plan-deploy.ts";

export type Replaced =
  | { readonly kind: "begun"; readonly state: ProjectState }
  | { readonly kind: "impossible"; readonly reasons: readonly string[] };

export interface LostPlace {
  /** As it was with the node, and as it is without it. */
  readonly before: ProjectState;
  readonly after: ProjectState;
  readonly node: NodeId;
  readonly nowMs: number;
}

export const replaceLost = (
  { before, after, node, nowMs }: LostPlace,
  { requestId, deployId, nodes }: Replacement,
): Replaced => {
  const commit = findCommit(before);
  if (commit === null) return { kind: "impossible", reasons: ["nothing was ever deployed"] };
  if (after.deploy !== null) {
    return { kind: "impossible", reasons: [`deploy ${after.deploy.id} must end first`] };
  }
  const request: Desired = {
    requestId,
    deployId,
    trigger: "failover",
    ref: before.settings.ref,
    commit,
    avoid: [node],
    force: false,
    restore: {},
    acceptLoss: false,
    requestedAtMs: nowMs,
  };
  const plan = planDeploy({ state: after, spec: specOf(before), nodes, request, nowMs });
  switch (plan.kind) {
    case "impossible":
      return plan;
    case "unchanged":
      return { kind: "impossible", reasons: ["no container used what was lost"] };
    case "planned": {
      const planned = { request, commit, subject: `Without node ${node}`, moves: plan.moves };
      return { kind: "begun", state: beginDeploy({ ...after, commit }, planned, nowMs) };
    }
  }
};

const findCommit = ({ commit, history }: ProjectState): CommitId | null =>
  commit ?? history.findLast(({ result }) => result === "deployed")?.commit ?? null;

const specOf = (state: ProjectState): ProjectSpec => ({
  containers: mapRecord(state.containers, ({ spec }) => spec),
  volumes: mapRecord(state.volumes, ({ settings }) => settings),
});
