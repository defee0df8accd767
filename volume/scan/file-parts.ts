/** A file cut into the parts that are read at once: whole blocks, runs of data apart from holes. */
import type { FileSystem } from "../file-system.ts";
import type { ChangedRange } from "./changed-ranges.ts";

const READ_BYTES = 2 ** 20;

/** The whole file as runs of data and of holes. */
export function* findData(
  fd: number,
  size: number,
  fileSystem: FileSystem,
): Generator<ChangedRange> {
  for (let at = 0; at < size; ) {
    const data = fileSystem.nextData(fd, at, size) ?? { offset: size, length: 0 };
    if (data.offset > at) yield { offset: at, length: data.offset - at, isHole: true };
    if (data.length > 0) yield { ...data, isHole: false };
    at = data.offset + data.length;
  }
}

export interface Shape {
  readonly size: number;
  readonly blockBytes: number;
  readonly knownSize: number;
}

/**
 * The ranges (ascending; they may overlap) as runs of whole blocks (to the end of the file), ascending
 * and disjoint, each to be read at once. A block with any data in it counts as data.
 */
export function* partsToRead(
  ranges: Iterable<ChangedRange>,
  { size, blockBytes, knownSize }: Shape,
): Generator<ChangedRange> {
  const down = (offset: number): number => offset - (offset % blockBytes);
  const up = (offset: number): number => Math.min(size, down(offset + blockBytes - 1));
  const partBytes = Math.max(READ_BYTES, blockBytes);
  let done = 0;
  function* emit(from: number, to: number, isHole: boolean): Generator<ChangedRange> {
    for (let at = Math.max(done, from); at < to; at = done) {
      done = isHole ? to : Math.min(to, at + partBytes);
      yield { offset: at, length: done - at, isHole };
    }
  }
  for (const { offset, length, isHole } of withSeam(ranges, { size, blockBytes, knownSize })) {
    const end = Math.min(size, offset + length);
    if (!isHole) yield* emit(down(offset), up(end), false);
    else {
      if (offset !== down(offset)) yield* emit(down(offset), up(offset), false);
      yield* emit(up(offset), down(end), true);
      if (end !== down(end)) yield* emit(down(end), up(end), false);
    }
  }
}

/** The block in which the shorter of two versions ends is shorter or longer now: it is read. */
function* withSeam(
  ranges: Iterable<ChangedRange>,
  { size, blockBytes, knownSize }: Shape,
): Generator<ChangedRange> {
  const end = Math.min(size, knownSize);
  const seam = { offset: end - (end % blockBytes), length: blockBytes, isHole: false };
  let isDue = knownSize !== size;
  for (const range of ranges) {
    if (isDue && range.offset >= seam.offset) {
      yield seam;
      isDue = false;
    }
    yield range;
  }
  if (isDue) yield seam;
}
