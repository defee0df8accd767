/** What a planned deploy means for each volume: how much moves, for how long, and whether it fits. Pure. */
import type { MeasureResult } from "../functions/measure-volume/measure-result.ts";
import { DISK_RESERVE_BYTES } from "../functions/volume-copies.ts";
import {
  estimatePause,
  type KnownPause,
  type PlannedVolume,
} from "../workflows/deploy/estimate-pause.ts";
import { knownBasePause, knownCopyRate } from "../workflows/deploy/known-pause.ts";
import type { Moves } from "../workflows/deploy/plan-deploy.ts";
import type { NodeId, VolumeName } from "../workflows/ids.ts";
import { keysOf } from "../workflows/keys-of.ts";
import type { NodeStatus } from "../workflows/placement/node-status.ts";
import type { ProjectState, VolumeMove } from "../workflows/record.ts";

export interface PlanFacts {
  readonly moves: Moves;
  readonly state: ProjectState;
  readonly nodes: readonly NodeStatus[];
  /** What the owners answered; a node that did not is not in it. */
  readonly measures: ReadonlyMap<NodeId, MeasureResult>;
}

export interface VolumeAssessment {
  readonly volume: VolumeName;
  readonly from: NodeId | null;
  readonly to: NodeId | null;
  /** `measured` on its node just now; `snapshot`: as its last snapshot has it; `none`: new. */
  readonly basis: "measured" | "snapshot" | "none";
  readonly bytes: number;
  readonly files: number;
  /** Null where its node did not answer. */
  readonly dirtyBytes: number | null;
  readonly dirtyFiles: number | null;
  readonly sinceSnapshot: string | null;
  /** Without a writer, if it were the deploy's only volume. Null: nobody writes it now, or unknown. */
  readonly pauseMs: number | null;
  /** On the target, the reserve that is always left free included; 0 where nothing is brought. */
  readonly neededBytes: number;
  readonly freeBytes: number | null;
  readonly fits: boolean;
}

export interface PlanAssessment {
  readonly volumes: readonly VolumeAssessment[];
  /** Of the whole deploy. Null: nothing that runs stops, or a node did not answer. */
  readonly pauseMs: number | null;
  readonly silentNodes: readonly NodeId[];
}

/** Nodes that can tell what is dirty: the writers of the volumes that the plan touches. */
export const nodesToAsk = ({ volumes }: Moves): NodeId[] => [
  ...new Set(Object.values(volumes).flatMap(({ from }) => from?.node ?? [])),
];

export const assessPlan = (facts: PlanFacts): PlanAssessment => {
  const { moves, state, measures } = facts;
  const earlier: KnownPause = {
    baseMs: knownBasePause(state.history),
    rateBytesPerS: knownCopyRate(state.history),
  };
  const silentNodes = nodesToAsk(moves).filter((node) => !measures.has(node));
  const stops = Object.values(moves.containers).some(({ from }) => from !== null);
  const planned = keysOf(moves.volumes).map((name) => plannedVolume(facts, name));
  const known = planned.filter((volume) => volume !== null);
  const isKnown = silentNodes.length === 0;
  return {
    volumes: keysOf(moves.volumes).map((name) => assessVolume(facts, name, earlier)),
    pauseMs: stops && isKnown ? estimatePause(known, earlier) : null,
    silentNodes,
  };
};

const measureOf = ({ moves, measures }: PlanFacts, name: VolumeName) => {
  const from = moves.volumes[name]?.from ?? null;
  const answer = from === null ? undefined : measures.get(from.node);
  const measure = answer?.volumes[name];
  return answer === undefined || measure === undefined ? null : { ...measure, atMs: answer.atMs };
};

/** What the pause is estimated from; null for a volume that nobody writes, or that is not known. */
const plannedVolume = (facts: PlanFacts, name: VolumeName): PlannedVolume | null => {
  const measure = measureOf(facts, name);
  if (measure === null) return null;
  const { from, to } = facts.moves.volumes[name] as VolumeMove;
  const snapshots = facts.state.volumes[name]?.snapshots ?? [];
  const since = snapshots.find(({ id }) => id === measure.since);
  return {
    dirtyBytes: measure.dirtyBytes,
    dirtyForMs: since === undefined ? null : Math.max(0, measure.atMs - since.takenAtMs),
    isMoved: to !== null && to !== from?.node,
  };
};

const assessVolume = (
  facts: PlanFacts,
  name: VolumeName,
  earlier: KnownPause,
): VolumeAssessment => {
  const { from, to } = facts.moves.volumes[name] as VolumeMove;
  const measure = measureOf(facts, name);
  const head = facts.state.volumes[name]?.head ?? null;
  const planned = plannedVolume(facts, name);
  const size = measure ?? head ?? { bytes: 0, files: 0 };
  const space = assessSpace(facts, name, size.bytes, measure !== null || head !== null);
  return {
    volume: name,
    from: from?.node ?? null,
    to,
    basis: measure !== null ? "measured" : head !== null ? "snapshot" : "none",
    bytes: size.bytes,
    files: size.files,
    dirtyBytes: measure?.dirtyBytes ?? (from === null ? 0 : null),
    dirtyFiles: measure?.dirtyFiles ?? (from === null ? 0 : null),
    sinceSnapshot: measure === null ? (head?.id ?? null) : measure.since,
    pauseMs: planned === null ? null : estimatePause([planned], earlier),
    ...space,
  };
};

/** As the node itself checks it before it brings the volume: a copy that it holds is made use of. */
const assessSpace = (
  { moves, nodes, state }: PlanFacts,
  name: VolumeName,
  bytes: number,
  hasContent: boolean,
): Pick<VolumeAssessment, "neededBytes" | "freeBytes" | "fits"> => {
  const { from, to } = moves.volumes[name] as VolumeMove;
  const target = nodes.find(({ node }) => node === to);
  const freeBytes = target?.diskFreeBytes ?? null;
  if (to === null || to === from?.node || !hasContent) {
    return { neededBytes: 0, freeBytes, fits: true };
  }
  const warm = (target?.warm ?? [])
    .filter(({ project, volume }) => project === state.project && volume === name)
    .map((copy) => copy.bytes);
  const neededBytes = Math.max(0, bytes - Math.max(0, ...warm)) + DISK_RESERVE_BYTES;
  return { neededBytes, freeBytes, fits: freeBytes !== null && neededBytes <= freeBytes };
};
