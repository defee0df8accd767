/** What a gap consisted of, from what the nodes saw: where to look when it is longer than it should be. */
import type { EndedDeploy } from "../record.ts";

export type GapPartName =
  | "stop"
  | "close"
  | "snapshot"
  | "hand-over"
  | "hydrate"
  | "create"
  | "start"
  | "health";

export interface GapPart {
  readonly name: GapPartName;
  readonly ms: number;
}

/**
 * The parts in their order; they add up to the gap. Of several containers or volumes the last one
 * counts in each part. Empty where the gap is not known, or an older version measured it.
 */
export const explainGap = (
  ended: Pick<EndedDeploy, "containers" | "volumes" | "gapMs">,
): GapPart[] => {
  if (ended.gapMs === null) return [];
  const outcomes = Object.values(ended.containers).map(({ outcome }) => outcome);
  const volumes = Object.values(ended.volumes);
  const sealed = volumes.flatMap(({ sealed, sealMs }) =>
    sealed === null || sealMs === undefined ? [] : [{ at: sealed.takenAtMs, ms: sealMs }],
  );
  const began = Math.min(...outcomes.flatMap(({ stopBeganAtMs }) => stopBeganAtMs ?? []));
  const marks: [GapPartName, number[]][] = [
    ["stop", outcomes.flatMap(({ stoppedAtMs }) => stoppedAtMs ?? [])],
    ["close", sealed.map(({ at, ms }) => at - ms)],
    ["snapshot", sealed.map(({ at }) => at)],
    ["hand-over", outcomes.flatMap(({ orderedAtMs }) => orderedAtMs ?? [])],
    ["hydrate", outcomes.flatMap(({ materialisedAtMs }) => materialisedAtMs ?? [])],
    ["create", outcomes.flatMap(({ createdAtMs }) => createdAtMs ?? [])],
    ["start", outcomes.flatMap(({ startedAtMs }) => startedAtMs ?? [])],
    ["health", outcomes.flatMap(({ healthyAtMs }) => healthyAtMs ?? [])],
  ];
  const parts: GapPart[] = [];
  let at = began;
  for (const [name, ends] of marks) {
    if (ends.length === 0) continue;
    const end = Math.max(at, ...ends);
    parts.push({ name, ms: end - at });
    at = end;
  }
  return outcomes.some(({ orderedAtMs }) => orderedAtMs !== undefined) ? parts : [];
};
