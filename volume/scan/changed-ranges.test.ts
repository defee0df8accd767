import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { PhysicalExtent } from "../file-system.ts";
import { changedRanges } from "./changed-ranges.ts";

/** A model: for each unit of the file the place of its data, negative for "not comparable", null for a hole. */
type Model = readonly (number | null)[];

const toExtents = (model: Model): PhysicalExtent[] =>
  model.flatMap((place, offset) =>
    place === null
      ? []
      : [{ offset, length: 1, physical: Math.abs(place), isComparable: place > 0 }],
  );

/** Neighbours on the device become one extent, as a file system reports them. */
const joined = (extents: readonly PhysicalExtent[]): PhysicalExtent[] => {
  const result: PhysicalExtent[] = [];
  for (const extent of extents) {
    const last = result.at(-1);
    const continues =
      last !== undefined &&
      last.isComparable === extent.isComparable &&
      last.offset + last.length === extent.offset &&
      last.physical + last.length === extent.physical;
    if (continues) result[result.length - 1] = { ...last, length: last.length + extent.length };
    else result.push(extent);
  }
  return result;
};

const anyModel = fc.array(fc.option(fc.integer({ min: -5, max: 12 }).filter((n) => n !== 0)), {
  maxLength: 20,
});

test("every unit that is not the same shared data in both is named, and no other", () => {
  fc.assert(
    fc.property(anyModel, anyModel, fc.nat(25), (before, after, size) => {
      const ranges = changedRanges(joined(toExtents(before)), joined(toExtents(after)), size);
      const named = new Set(
        ranges.flatMap(({ offset, length }) => Array.from({ length }, (_, i) => offset + i)),
      );
      for (let unit = 0; unit < size; unit += 1) {
        const old = before[unit] ?? null;
        const now = after[unit] ?? null;
        const isSame = old === now && (old === null || old > 0);
        expect(named.has(unit)).toBe(!isSame);
      }
      expect([...named].every((unit) => unit < size)).toBe(true);
      for (const { offset, length, isHole } of ranges) {
        for (let unit = offset; unit < offset + length; unit += 1) {
          expect(isHole).toBe((after[unit] ?? null) === null);
        }
      }
    }),
  );
});
