/**
 * A clone that stays while its file goes on: where the two differ is noted instead of made good. To
 * bring a clone up to its file costs with the number of ranges, to make it anew with the number of the
 * file's extents, and both fall into the gap of a deploy.
 */
import type { FileRange } from "../file-system.ts";
import type { NotedClone } from "../local-index.ts";
import type { ChangedRange } from "./changed-ranges.ts";

/** What is stale is read at each snapshot: more of it costs more than a new clone. */
const STALE_RANGES_MAX = 16_384;
const STALE_BYTES_MAX = 128 * 2 ** 20;

interface Resized {
  readonly before: number;
  readonly after: number;
}

/** The clone, its file being otherwise in these ranges now. Null: a new one is worth its price. */
export const ageClone = (
  { name, stale }: NotedClone,
  ranges: readonly FileRange[],
  { before, after }: Resized,
): NotedClone | null => {
  // What was cut off is zeros when the file grows again, and data in the clone.
  const cut = after < before ? [{ offset: after, length: before - after }] : [];
  const all = joinRanges([...stale, ...ranges, ...cut]);
  const bytes = all.reduce((sum, { length }) => sum + length, 0);
  return all.length > STALE_RANGES_MAX || bytes > STALE_BYTES_MAX ? null : { name, stale: all };
};

/** Ascending and disjoint. */
const joinRanges = (ranges: readonly FileRange[]): FileRange[] => {
  const joined: FileRange[] = [];
  for (const { offset, length } of ranges.toSorted((a, b) => a.offset - b.offset)) {
    const last = joined.at(-1);
    const lastEnd = last === undefined ? -1 : last.offset + last.length;
    if (last === undefined || offset > lastEnd) joined.push({ offset, length });
    else {
      const end = Math.max(lastEnd, offset + length);
      joined[joined.length - 1] = { offset: last.offset, length: end - last.offset };
    }
  }
  return joined;
};

/** What differs from the clone, and what differed from it before; ascending. */
export const withStale = (
  changed: readonly ChangedRange[],
  stale: readonly FileRange[],
): readonly ChangedRange[] =>
  stale.length === 0
    ? changed
    : [...changed, ...stale.map((range) => ({ ...range, isHole: false }))].toSorted(
        (a, b) => a.offset - b.offset,
      );
