/**
 * The deploy that takes a lost node's place: the same containers, as the record has them (a
 * repository that does not answer must not be in the way), on the last committed snapshots.
 */
import type { ProjectSpec } from "../container-spec.ts";
import { mapRecord } from "../keys-of.ts";
import type { Desired, ProjectState } from "../record.ts";
import { beginDeploy } from "./begin-deploy.ts";
import { findOwed, type LostPlace } from "./find-owed.ts";
import {
  changed,
  type Decision,
  type InputOf,
  type Replacement,
  refused,
  UNCHANGED,
} from "./messages.ts";
import { afterTry, isDue, type OwedReplacement } from "./owed-replacement.ts";
import { planDeploy } from "./plan-deploy.ts";

export type Replaced =
  | { readonly kind: "begun"; readonly state: ProjectState }
  | { readonly kind: "impossible"; readonly reasons: readonly string[] };

export const replaceLost = (place: LostPlace, replacement: Replacement): Replaced => {
  const { after, nowMs } = place;
  const owed = findOwed(place);
  if (owed === null) return { kind: "impossible", reasons: ["no container used what was lost"] };
  if (after.deploy !== null) {
    return { kind: "impossible", reasons: [`deploy ${after.deploy.id} must end first`] };
  }
  return beginReplacement(after, owed, replacement, nowMs);
};

/** A replacement that failed is tried again, ever more rarely, until something is deployed. */
export const retryReplacement = (
  state: ProjectState,
  { replacement, nowMs }: InputOf<"replacement.due">,
): Decision => {
  const owed = state.owedReplacement;
  const isFree = state.deploy === null && state.desired === null;
  if (owed === null || !isFree || !isDue(owed, nowMs)) return UNCHANGED;
  const replaced = beginReplacement(state, owed, replacement, nowMs);
  if (replaced.kind === "impossible") {
    const reasons = replaced.reasons.join("; ");
    return refused("replacement-impossible", reasons, "add a node that fits, or deploy");
  }
  const { node, tries } = owed;
  const data = { project: state.project, node, tries };
  return changed(replaced.state, { type: "replacement.retried", data });
};

const beginReplacement = (
  state: ProjectState,
  owed: OwedReplacement,
  { requestId, deployId, nodes }: Replacement,
  nowMs: number,
): Replaced => {
  const { node, commit } = owed;
  const isBack = nodes.some((status) => status.node === node && status.atMs > owed.lostAtMs);
  const request: Desired = {
    requestId,
    deployId,
    trigger: "failover",
    ref: state.settings.ref,
    commit,
    avoid: isBack ? [] : [node],
    force: false,
    restore: {},
    acceptLoss: false,
    requestedAtMs: nowMs,
  };
  const plan = planDeploy({ state, spec: specWith(state, owed), nodes, request, nowMs });
  switch (plan.kind) {
    case "impossible":
      return plan;
    case "unchanged":
      return { kind: "impossible", reasons: ["no container used what was lost"] };
    case "planned": {
      const planned = { request, commit, subject: `Without node ${node}`, moves: plan.moves };
      const owedReplacement = afterTry(owed, nowMs);
      return {
        kind: "begun",
        state: beginDeploy({ ...state, commit, owedReplacement }, planned, nowMs),
      };
    }
  }
};

const specWith = (state: ProjectState, { containers }: OwedReplacement): ProjectSpec => ({
  containers: { ...containers, ...mapRecord(state.containers, ({ spec }) => spec) },
  volumes: mapRecord(state.volumes, ({ settings }) => settings),
});
