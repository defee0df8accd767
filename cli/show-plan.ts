/** A plan for people: one line a container, one a volume. Pure. */
import type { Moves } from "../workflows/deploy/plan-deploy.ts";
import { keysOf } from "../workflows/keys-of.ts";
import type { PlanAssessment, VolumeAssessment } from "./assess-plan.ts";
import { formatBytes, formatMs } from "./format.ts";

export const showPlan = (moves: Moves, assessment: PlanAssessment): string[] => [
  ...keysOf(moves.containers).map((name) => {
    const move = moves.containers[name];
    const what = move?.to === null ? "is removed" : move?.from === null ? "is new" : "changes";
    return `  container ${name} ${what}: ${move?.from?.node ?? "-"} → ${move?.to?.node ?? "-"}`;
  }),
  ...assessment.volumes.map(showVolume),
  ...(assessment.volumes.length > 1 && assessment.pauseMs !== null
    ? [`  pause in all ${about(assessment.pauseMs)}`]
    : []),
  ...assessment.silentNodes.map(
    (node) => `  node ${node} did not answer: what is dirty there, and the pause, are not known`,
  ),
];

const showVolume = (volume: VolumeAssessment): string => {
  const { from, to, basis, bytes, files, dirtyBytes, pauseMs } = volume;
  if (basis === "none" && from === null) return `  volume ${volume.volume} is new on ${to}`;
  const size = basis === "none" ? "size not known" : `${formatBytes(bytes)} in ${files} files`;
  const facts = [
    basis === "snapshot" && from !== null ? `${size} when last sealed` : size,
    ...(dirtyBytes === null ? [] : [`${formatBytes(dirtyBytes)} dirty`]),
    route(from, to),
    ...(pauseMs === null ? [] : [`pause ${about(pauseMs)}`]),
  ];
  return `  volume ${volume.volume} ${facts.join(", ")}${showSpace(volume)}`;
};

const route = (from: string | null, to: string | null): string => {
  if (to === null) return `detached from ${from}, kept`;
  return from === to ? `stays on ${to}` : `${from ?? "(store)"} → ${to}`;
};

const showSpace = ({ to, neededBytes, freeBytes, fits }: VolumeAssessment): string => {
  if (neededBytes === 0) return "";
  const free = freeBytes === null ? "unknown" : formatBytes(freeBytes);
  return `, ${formatBytes(neededBytes)} needed on ${to}, ${free} free: ${fits ? "ok" : "TOO LITTLE"}`;
};

/** An estimate has no milliseconds. */
const about = (ms: number): string =>
  ms < 60_000 ? `about ${Math.ceil(ms / 1_000)} s` : `about ${formatMs(ms)}`;
