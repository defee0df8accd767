/**
 * An operator's word that a node is gone: all that it holds is given up, whatever its volumes' files
 * say, because the operator has been shown how much that is.
 */
import type { ProjectState } from "../record.ts";
import { findOwed } from "./find-owed.ts";
import { detachFrom, forgetOnNode, undoOnNode, waiveAwaits } from "./give-up-node.ts";
import { changed, type Decision, type InputOf, UNCHANGED } from "./messages.ts";
import { replaceLost } from "./replace-lost.ts";

export const loseNode = (state: ProjectState, input: InputOf<"node.lost">): Decision => {
  const { node, nowMs, replacement } = input;
  const reason = `node ${node} was declared lost`;
  const acceptedBy = input.acceptedBy ?? "an operator";
  const undone = undoOnNode(forgetOnNode(state, node), { node, reason, nowMs, isForGood: true });
  const waived = waiveAwaits(undone, { node, nowMs });
  const detached = detachFrom(waived, { node, nowMs, acceptedBy }, () => true);
  if (detached === state) return UNCHANGED;
  const event = { type: "node.lost", data: { project: state.project, node, acceptedBy } };
  if (replacement === undefined) return changed(detached, event);
  const place = { before: state, after: detached, node, nowMs };
  const replaced = replaceLost(place, replacement);
  if (replaced.kind === "begun") return changed(replaced.state, event);
  // Once a node that fits is there, or the running deploy has ended.
  const owedReplacement = findOwed(place) ?? detached.owedReplacement;
  return changed({ ...detached, owedReplacement }, event);
};
