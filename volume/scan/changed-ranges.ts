/**
 * What differs between a file and an earlier clone of it, told from where their data lie: a block that
 * both share was written by neither since. Copy-on-write makes this exact; nothing is read.
 */
import type { FileRange, PhysicalExtent } from "../file-system.ts";

export interface ChangedRange extends FileRange {
  /** The range is a hole now: there is nothing to read. */
  readonly isHole: boolean;
}

/**
 * Ranges of [0, size) in which the two maps do not name the same shared data, ascending and disjoint.
 * Holes in both are unchanged. Whatever is not comparable counts as changed.
 */
export const changedRanges = (
  before: readonly PhysicalExtent[],
  after: readonly PhysicalExtent[],
  size: number,
): ChangedRange[] => {
  const changed: ChangedRange[] = [];
  const mark = (from: number, to: number, isHole: boolean): void => {
    const end = Math.min(to, size);
    if (from >= end) return;
    const last = changed.at(-1);
    const continues = last !== undefined && last.offset + last.length === from;
    if (continues && last.isHole === isHole) {
      changed[changed.length - 1] = { offset: last.offset, length: end - last.offset, isHole };
    } else changed.push({ offset: from, length: end - from, isHole });
  };
  let b = 0;
  let a = 0;
  for (let at = 0; at < size; ) {
    const old = extentAt(before, b, at);
    const now = extentAt(after, a, at);
    const end = Math.min(size, endOf(old, at), endOf(now, at));
    if (!isSame(old, now, at)) mark(at, end, isHole(now, at));
    at = end;
    while (b < before.length && isPast(before[b], at)) b += 1;
    while (a < after.length && isPast(after[a], at)) a += 1;
  }
  return changed;
};

const isPast = (extent: PhysicalExtent | undefined, at: number): boolean =>
  extent !== undefined && extent.offset + extent.length <= at;

/** The extent that holds the offset, or the next one: then the offset lies in a hole before it. */
const extentAt = (
  extents: readonly PhysicalExtent[],
  from: number,
  at: number,
): PhysicalExtent | null => {
  let i = from;
  while (isPast(extents[i], at)) i += 1;
  return extents[i] ?? null;
};

const isHole = (extent: PhysicalExtent | null, at: number): boolean =>
  extent === null || extent.offset > at;

/** Where what holds at the offset ends: the extent, or the hole before it. */
const endOf = (extent: PhysicalExtent | null, at: number): number => {
  if (extent === null) return Number.POSITIVE_INFINITY;
  return extent.offset > at ? extent.offset : extent.offset + extent.length;
};

const isSame = (old: PhysicalExtent | null, now: PhysicalExtent | null, at: number): boolean => {
  if (isHole(old, at) || isHole(now, at)) return isHole(old, at) && isHole(now, at);
  if (old === null || now === null) return false;
  return (
    old.isComparable &&
    now.isComparable &&
    old.physical + (at - old.offset) === now.physical + (at - now.offset)
  );
};
