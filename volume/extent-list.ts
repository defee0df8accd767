/** A file's extents as a list in file order: laid over one another, compared, cut. */
import type { Extent } from "./entry.ts";

/** A run of the file that has new bytes (an extent) or none (null: a hole). */
export interface Replacement {
  readonly offset: number;
  readonly length: number;
  readonly extent: Extent | null;
}

/** Appends extents in file order, joining what continues the one before. */
export const collectExtents = (): { readonly all: Extent[]; add(extent: Extent): void } => {
  const all: Extent[] = [];
  return {
    all,
    add: (extent) => {
      const last = all.at(-1);
      const continues =
        last !== undefined &&
        last.frame === extent.frame &&
        last.offset + last.length === extent.offset &&
        last.frameOffset + last.length === extent.frameOffset;
      if (continues) all[all.length - 1] = { ...last, length: last.length + extent.length };
      else all.push(extent);
    },
  };
};

/** The part of the extent in [from, to). */
export const cutExtent = (extent: Extent, from: number, to: number): Extent => {
  const start = Math.max(extent.offset, from);
  const end = Math.min(extent.offset + extent.length, to);
  const { frame, frameOffset } = extent;
  return {
    offset: start,
    length: end - start,
    frame,
    frameOffset: frameOffset + start - extent.offset,
  };
};

/** The extents with the replacements (ascending, disjoint) in their places, up to `size`. */
export const replaceExtents = (
  extents: readonly Extent[],
  replacements: readonly Replacement[],
  size: number,
): Extent[] => {
  const result = collectExtents();
  let next = 0;
  const addUpTo = (from: number, to: number): void => {
    for (; next < extents.length; next += 1) {
      const extent = extents[next];
      if (extent === undefined || extent.offset >= to) return;
      const end = extent.offset + extent.length;
      if (Math.max(extent.offset, from) < Math.min(end, to)) {
        result.add(cutExtent(extent, from, to));
      }
      if (end > to) return;
    }
  };
  let at = 0;
  for (const { offset, length, extent } of replacements) {
    addUpTo(at, Math.min(offset, size));
    if (extent !== null) result.add(extent);
    at = offset + length;
  }
  addUpTo(at, size);
  return result.all;
};

export interface ExtentDifference {
  /** Parts of `after` that do not stand at the same place in `before`. */
  readonly pieces: readonly Extent[];
  /** Runs with data in `before` and none in `after`. */
  readonly holes: readonly { readonly offset: number; readonly length: number }[];
}

/** What must be fetched and what must become zeros to turn the one content into the other. */
export const compareExtents = (
  before: readonly Extent[],
  after: readonly Extent[],
): ExtentDifference => {
  const pieces = collectExtents();
  const holes: { offset: number; length: number }[] = [];
  let b = 0;
  let end = 0;
  const holesUpTo = (to: number): void => {
    for (let i = b; i < before.length; i += 1) {
      const extent = before[i];
      if (extent === undefined || extent.offset >= to) return;
      const from = Math.max(extent.offset, end);
      const until = Math.min(extent.offset + extent.length, to);
      if (from < until) holes.push({ offset: from, length: until - from });
    }
  };
  for (const extent of after) {
    while (isBefore(before[b], end)) b += 1;
    holesUpTo(extent.offset);
    const stop = extent.offset + extent.length;
    for (let at = extent.offset; at < stop; ) {
      while (isBefore(before[b], at)) b += 1;
      const old = before[b];
      const until = Math.min(stop, old === undefined ? stop : boundaryAfter(old, at));
      const isSame = old !== undefined && old.offset <= at && isSamePlace(old, extent);
      if (!isSame) pieces.add(cutExtent(extent, at, until));
      at = until;
    }
    end = stop;
  }
  while (isBefore(before[b], end)) b += 1;
  holesUpTo(Number.POSITIVE_INFINITY);
  return { pieces: pieces.all, holes };
};

const isBefore = (extent: Extent | undefined, at: number): boolean =>
  extent !== undefined && extent.offset + extent.length <= at;

const boundaryAfter = ({ offset, length }: Extent, at: number): number =>
  offset > at ? offset : offset + length;

const isSamePlace = (a: Extent, b: Extent): boolean =>
  a.frame.pack === b.frame.pack &&
  a.frame.offset === b.frame.offset &&
  a.frameOffset - a.offset === b.frameOffset - b.offset;
