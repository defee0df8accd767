/** A step's progress in one line: a bar on a terminal, words elsewhere. Pure. */
import type { StepProgress } from "../functions/step-progress.ts";
import { formatBytes, formatMs } from "./format.ts";

const BAR_CELLS = 24;
/** A step writes once a second; one that was silent for so long may have lost its node. */
const SILENT_MS = 15_000;

export const renderBar = (progress: StepProgress, nowMs: number): string => {
  const share = shareOf(progress);
  const full = share === null ? 0 : Math.floor(share * BAR_CELLS);
  const bar = share === null ? "" : `${"█".repeat(full)}${"░".repeat(BAR_CELLS - full)}  `;
  return `${nameOf(progress)}  ${bar}${factsOf(progress, nowMs).join("  ")}`;
};

export const renderWords = (progress: StepProgress, nowMs: number): string =>
  `${nameOf(progress)}: ${factsOf(progress, nowMs).join(", ")}`;

const nameOf = ({ step, node, volume, image }: StepProgress): string =>
  `${step} on ${node}, ${volume ?? `image ${image}`}`;

/** Null where the size is not known, and for nothing out of nothing. */
const shareOf = ({ doneBytes, totalBytes }: StepProgress): number | null =>
  totalBytes === null || totalBytes === 0 ? null : Math.min(1, doneBytes / totalBytes);

const factsOf = (progress: StepProgress, nowMs: number): string[] => {
  const { doneBytes, totalBytes, transferredBytes, rateBytesPerS, volume, atMs } = progress;
  const share = shareOf(progress);
  const left = timeLeftMs(progress);
  const silentMs = nowMs - atMs;
  return [
    ...(share === null ? [] : [`${Math.floor(share * 100)} %`]),
    totalBytes === null
      ? formatBytes(doneBytes)
      : `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`,
    ...(volume === null ? [] : [`${formatBytes(transferredBytes)} transferred`]),
    ...(rateBytesPerS === null ? [] : [`${formatBytes(Math.round(rateBytesPerS))}/s`]),
    ...(left === null ? [] : [`${formatMs(left)} left`]),
    ...(silentMs > SILENT_MS ? [`no news for ${formatMs(silentMs)}`] : []),
  ];
};

/** Whole seconds, because more is not known; null where nothing moves, or no end is known. */
const timeLeftMs = ({ doneBytes, totalBytes, rateBytesPerS }: StepProgress): number | null =>
  totalBytes === null || rateBytesPerS === null || rateBytesPerS < 1
    ? null
    : Math.ceil(Math.max(0, totalBytes - doneBytes) / rateBytesPerS) * 1_000;
