/** What stays owed when a node is lost, and what of it once a deploy is committed. */
import type { ContainerSpec } from "../container-spec.ts";
import type { CommitId, ContainerName, NodeId } from "../ids.ts";
import { keysOf } from "../keys-of.ts";
import type { Deploy, ProjectState } from "../record.ts";
import type { OwedReplacement } from "./owed-replacement.ts";

export interface LostPlace {
  /** As it was with the node, and as it is without it. */
  readonly before: ProjectState;
  readonly after: ProjectState;
  readonly node: NodeId;
  readonly nowMs: number;
}

/** Null: nothing ran there, or nothing was ever deployed. */
export const findOwed = ({ before, after, node, nowMs }: LostPlace): OwedReplacement | null => {
  const commit = findCommit(before);
  const containers: Record<ContainerName, ContainerSpec> = {
    ...before.owedReplacement?.containers,
  };
  for (const name of keysOf(before.containers)) {
    const container = before.containers[name];
    const isFound = after.containers[name] !== undefined && !isForgotten(after.deploy, name);
    if (container?.node === node && !isFound) containers[name] = container.spec;
  }
  if (commit === null || keysOf(containers).length === 0) return null;
  const beside = after.deploy?.id ?? null;
  return { node, commit, containers, lostAtMs: nowMs, beside, tries: 0, dueAtMs: nowMs };
};

/** In a deploy that has no way back to where it ran. */
const isForgotten = (deploy: Deploy | null, name: ContainerName): boolean =>
  deploy?.containers[name]?.from === null;

const findCommit = ({ commit, history }: ProjectState): CommitId | null =>
  commit ?? history.findLast(({ result }) => result === "deployed")?.commit ?? null;

/** What is still owed once the deploy is committed. One that was planned since has it all. */
export const settleOwed = (
  owed: OwedReplacement | null,
  deploy: Deploy,
): OwedReplacement | null => {
  if (owed === null || owed.beside !== deploy.id) return null;
  const rest = Object.fromEntries(
    Object.entries(owed.containers).filter(
      ([name]) => deploy.containers[name as ContainerName] === undefined,
    ),
  );
  return keysOf(rest).length === 0 ? null : { ...owed, containers: rest };
};
