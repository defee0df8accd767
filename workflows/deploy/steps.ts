/** Names of the pieces of work a deploy waits for, and which nodes owe them in each phase. */

import type { Epoch, NodeId, SnapshotId } from "../ids.ts";
import type { Deploy, VolumeMove, VolumeState } from "../record.ts";
import type { Await } from "./deploy-phase.ts";

export type StepKind = "copy" | "prepare" | "seal" | "hydrate" | "start" | "unstart" | "return";

/** `copy-2` for rounds, `seal-e7` for steps under an epoch: unique in a deploy. */
export const roundStep = (kind: "copy" | "prepare", round: number): string => `${kind}-${round}`;
export const epochStep = (kind: Exclude<StepKind, "copy" | "prepare">, epoch: Epoch): string =>
  `${kind}-e${epoch}`;

const STEP_KINDS: readonly StepKind[] = [
  "copy",
  "prepare",
  "seal",
  "hydrate",
  "start",
  "unstart",
  "return",
];

/** The kind that a step's name begins with, or null for a name from elsewhere. */
export const stepKind = (step: string): StepKind | null =>
  STEP_KINDS.find((kind) => step.startsWith(`${kind}-`)) ?? null;

/** Steps of a deploy that goes back already: nothing but their end leads on. */
export const isWayBack = (step: string): boolean => {
  const kind = stepKind(step);
  return kind === "unstart" || kind === "return";
};

export const awaitAll = (step: string, nodes: Iterable<NodeId>): Await[] =>
  [...new Set(nodes)].sort().map((node) => ({ step, node }));

/** What a deploy moves, whatever its phase. */
type Moves = Pick<Deploy, "containers" | "volumes">;

/** Nodes that write a volume of this deploy now. */
export const copyNodes = (deploy: Moves): NodeId[] =>
  Object.values(deploy.volumes).flatMap(({ from }) => (from === null ? [] : [from.node]));

/** Nodes on which something of this deploy runs now, and must stop. */
export const oldNodes = (deploy: Moves): NodeId[] => [
  ...copyNodes(deploy),
  ...Object.values(deploy.containers).flatMap(({ from }) => (from === null ? [] : [from.node])),
];

/** Nodes on which something of this deploy shall run. */
export const newNodes = (deploy: Moves): NodeId[] =>
  Object.values(deploy.containers).flatMap(({ to }) => (to === null ? [] : [to.node]));

/** The snapshot that a moved volume starts from; null: it starts empty. */
export const contentOf = (
  move: VolumeMove,
  volume: Pick<VolumeState, "head"> | undefined,
): SnapshotId | null => move.restore ?? move.sealed?.id ?? volume?.head?.id ?? null;

/** Whether the target must bring the content from the store rather than find it on its own disk. */
export const mustHydrate = (move: VolumeMove, volume: VolumeState | undefined): boolean =>
  move.to !== null &&
  contentOf(move, volume) !== null &&
  (move.restore !== null || move.from?.node !== move.to);
