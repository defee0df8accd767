/** Progress in one line: a bar on a terminal, words elsewhere. Pure. */
import type { StepProgress } from "../functions/step-progress.ts";
import { formatBytes, formatMs } from "./format.ts";

export type Progress = Pick<
  StepProgress,
  "doneBytes" | "totalBytes" | "transferredBytes" | "rateBytesPerS" | "atMs"
>;

const BAR_CELLS = 24;
/** A step writes once a second; one that was silent for so long may have lost its node. */
const SILENT_MS = 15_000;

export const nameStep = ({ step, node, volume, image }: StepProgress): string =>
  `${step} on ${node}, ${volume ?? `image ${image}`}`;

export const renderBar = (name: string, progress: Progress, nowMs: number): string => {
  const share = shareOf(progress);
  const full = share === null ? 0 : Math.floor(share * BAR_CELLS);
  const bar = share === null ? "" : `${"█".repeat(full)}${"░".repeat(BAR_CELLS - full)}  `;
  return `${name}  ${bar}${factsOf(progress, nowMs).join("  ")}`;
};

export const renderWords = (name: string, progress: Progress, nowMs: number): string =>
  `${name}: ${factsOf(progress, nowMs).join(", ")}`;

/** Null where the size is not known, and for nothing out of nothing. */
const shareOf = ({ doneBytes, totalBytes }: Progress): number | null =>
  totalBytes === null || totalBytes === 0 ? null : Math.min(1, doneBytes / totalBytes);

const factsOf = (progress: Progress, nowMs: number): string[] => {
  const { doneBytes, totalBytes, transferredBytes, rateBytesPerS, atMs } = progress;
  const share = shareOf(progress);
  const left = secondsLeft(progress);
  const silentMs = nowMs - atMs;
  return [
    ...(share === null ? [] : [`${Math.floor(share * 100)} %`]),
    totalBytes === null
      ? formatBytes(doneBytes)
      : `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`,
    ...(transferredBytes === doneBytes ? [] : [`${formatBytes(transferredBytes)} transferred`]),
    ...(rateBytesPerS === null ? [] : [`${formatBytes(Math.round(rateBytesPerS))}/s`]),
    ...(left === null ? [] : [`${left < 60 ? `${left} s` : formatMs(left * 1_000)} left`]),
    ...(silentMs > SILENT_MS ? [`no news for ${formatMs(silentMs)}`] : []),
  ];
};

/** Whole seconds, because more is not known; null where nothing moves, or no end is known. */
const secondsLeft = ({ doneBytes, totalBytes, rateBytesPerS }: Progress): number | null =>
  totalBytes === null || rateBytesPerS === null || rateBytesPerS < 1
    ? null
    : Math.ceil(Math.max(0, totalBytes - doneBytes) / rateBytesPerS);
