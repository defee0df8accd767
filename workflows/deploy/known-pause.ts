/** What earlier deploys of a project tell of the next one's pause: the part that no byte explains. */
import type { EndedDeploy } from "../record.ts";
import { COPY_SMALL_BYTES } from "./limits.ts";

/** Stop, create, start, first health check, and the control's part, where no deploy tells. */
export const PAUSE_BASE_MS = 1_500;
/** Of it what a first start does not show: stop, seal, hand-over, and a hydrate of next to nothing. */
export const PAUSE_BEFORE_CREATE_MS = 600;
/** What a copy is taken to move where no earlier one tells: an S3 store over a gigabit link. */
const RATE_DEFAULT_BYTES_PER_S = 50_000_000;
/** Older deploys had other versions, and other machines. */
const DEPLOYS_COUNT = 5;

/** Bytes a second of the newest copy that was large enough to tell, or what is usual. */
export const knownCopyRate = (deploys: readonly Pick<EndedDeploy, "volumes">[]): number => {
  const copies = deploys.flatMap(({ volumes }) =>
    Object.values(volumes).flatMap((move) => move.copies),
  );
  const telling = copies.findLast(
    ({ changedBytes, durationMs }) => changedBytes >= COPY_SMALL_BYTES && durationMs > 0,
  );
  return telling === undefined
    ? RATE_DEFAULT_BYTES_PER_S
    : (telling.changedBytes / telling.durationMs) * 1_000;
};

type Told = Pick<EndedDeploy, "volumes" | "containers" | "gapMs" | "result">;

/**
 * Milliseconds of a pause in which nothing is written: the median over the last deploys of what their
 * measured gap was longer than the time that their last bytes took, up and down, at the known rate.
 * Before anything was stopped for a deploy, how long its containers take to start tells the most.
 */
export const knownBasePause = (history: readonly Told[]): number => {
  const rate = knownCopyRate(history) / 1_000;
  const bases = history
    .flatMap(({ result, gapMs, volumes }) => {
      if (result !== "deployed" || gapMs === null) return [];
      const movedBytes = Object.values(volumes).reduce(
        (sum, { sealed, hydrated }) =>
          sum + (sealed?.storedBytes ?? 0) + (hydrated?.fetchedBytes ?? 0),
        0,
      );
      return [Math.max(0, gapMs - movedBytes / rate)];
    })
    .slice(-DEPLOYS_COUNT)
    .sort((a, b) => a - b);
  return Math.round(bases[Math.floor(bases.length / 2)] ?? pauseOfStart(history));
};

const pauseOfStart = (history: readonly Told[]): number => {
  const first = history.findLast(({ result }) => result === "deployed");
  const starts = Object.values(first?.containers ?? {}).flatMap(({ outcome }) => {
    const { materialisedAtMs, healthyAtMs } = outcome;
    return materialisedAtMs === undefined || healthyAtMs === undefined
      ? []
      : [healthyAtMs - materialisedAtMs];
  });
  return starts.length === 0 ? PAUSE_BASE_MS : PAUSE_BEFORE_CREATE_MS + Math.max(0, ...starts);
};
