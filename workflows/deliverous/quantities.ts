/** Durations and byte sizes as Compose writes them, to whole milliseconds and bytes. */
import { accept, type Outcome, refuse } from "./outcome.ts";

const UNIT_MS: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

const DURATION = /^(?:\d+(?:\.\d+)?(?:us|ms|s|m|h|d|w))+$/;
const DURATION_PART = /(\d+(?:\.\d+)?)(us|ms|s|m|h|d|w)/g;

export interface DurationBounds {
  readonly minMs: number;
  readonly maxMs: number;
}

/** `1m30s`, `1.5h`, `250ms` → milliseconds, rounded. `0s` is fine where `minMs` is 0. */
export const parseDuration = (text: string, { minMs, maxMs }: DurationBounds): Outcome<number> => {
  if (!DURATION.test(text)) {
    return refuse(`"${text}" is not a duration`, "write a number and a unit: 30s, 1m30s, 2h");
  }
  const parts = [...text.matchAll(DURATION_PART)];
  const ms = parts.reduce(
    (sum, [, count, unit]) => sum + Number(count) * (UNIT_MS[`${unit}`] ?? 0),
    0,
  );
  const rounded = Math.round(ms);
  if (rounded < minMs || rounded > maxMs) {
    return refuse(
      `the duration ${text} is out of bounds`,
      `write ${renderDuration(minMs)} to ${renderDuration(maxMs)}`,
    );
  }
  return accept(rounded);
};

/** The shortest form in one unit: 90000 → `90s`, 7200000 → `2h`. Reads back as the same number. */
export const renderDuration = (ms: number): string => {
  for (const unit of ["h", "m", "s"] as const) {
    const size = UNIT_MS[unit] ?? 1;
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return ms === 0 ? "0s" : `${ms}ms`;
};

const SIZE = /^(\d+(?:\.\d+)?) ?([kmgt]?)(?:i?b)?$/i;
const SIZE_POWERS = ["", "k", "m", "g", "t"];

/** Docker refuses a lower limit. */
const MEMORY_BYTES_MIN = 6 * 1024 ** 2;

/** `512m`, `1.5gb`, `1GiB` or a count of bytes → bytes. Units are powers of 1024, as in Compose. */
export const parseSize = (size: string | number): Outcome<number> => {
  const match = SIZE.exec(`${size}`);
  const power = SIZE_POWERS.indexOf(`${match?.[2]}`.toLowerCase());
  const bytes = match === null ? Number.NaN : Math.round(Number(match[1]) * 1024 ** power);
  return Number.isSafeInteger(bytes)
    ? accept(bytes)
    : refuse(`"${size}" is not a size`, "write a number and a unit: 512m, 2g");
};

export const parseMemoryLimit = (size: string | number): Outcome<number> => {
  const parsed = parseSize(size);
  return parsed.ok && parsed.value < MEMORY_BYTES_MIN
    ? refuse(`a memory limit of ${size} is out of bounds`, "write 6m or more")
    : parsed;
};

const CPUS_MAX = 1024;

/** `0.5`, `"2"` → a number of processors. */
export const parseCpus = (cpus: string | number): Outcome<number> => {
  const count =
    typeof cpus === "number" ? cpus : /^\d+(\.\d+)?$/.test(cpus) ? Number(cpus) : Number.NaN;
  return count >= 0.01 && count <= CPUS_MAX
    ? accept(count)
    : refuse(`"${cpus}" is not a number of processors`, `write 0.01 to ${CPUS_MAX}, as 0.5 or 2`);
};

const EVERY = /^every +(\S+)$/;
const SNAPSHOT_EVERY = { minMs: 1_000, maxMs: 30 * 86_400_000 };

/** `every 15m` → milliseconds. */
export const parseSchedule = (text: string): Outcome<number> => {
  const match = EVERY.exec(text);
  return match === null
    ? refuse(`"${text}" is not a schedule`, "write `every` and a duration: every 15m")
    : parseDuration(`${match[1]}`, SNAPSHOT_EVERY);
};
