import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Extent, Frame } from "./entry.ts";
import { compareExtents, type Replacement, replaceExtents } from "./extent-list.ts";

const frames = Array.from(
  { length: 4 },
  (_, i): Frame => ({
    pack: `e1/a/p-${i % 2}`,
    offset: i,
    storedBytes: 100,
    rawBytes: 100,
    codec: "raw",
    digest: "",
  }),
);

/** A model: for each byte of the file where it stands in the store, or null in a hole. */
type Model = (string | null)[];

const anyExtents: fc.Arbitrary<Extent[]> = fc
  .array(
    fc.record({
      gap: fc.nat(3),
      length: fc.integer({ min: 1, max: 6 }),
      frame: fc.nat(3),
      from: fc.nat(9),
    }),
  )
  .map((rows) => {
    let end = 0;
    return rows.map(({ gap, length, frame, from }) => {
      const offset = end + gap;
      end = offset + length;
      return {
        offset,
        length,
        frame: frames[frame % 4] ?? (frames[0] as Frame),
        frameOffset: from,
      };
    });
  });

const toModel = (extents: readonly Extent[], size: number): Model => {
  const model: Model = Array.from({ length: size }, () => null);
  for (const { offset, length, frame, frameOffset } of extents) {
    for (let i = 0; i < length && offset + i < size; i += 1) {
      model[offset + i] = `${frame.pack} ${frame.offset} ${frameOffset + i}`;
    }
  }
  return model;
};

const SIZE = 200;

test("replaced runs have their new place, all others keep theirs", () => {
  fc.assert(
    fc.property(anyExtents, anyExtents, fc.nat(60), fc.nat(2), (base, over, size, every) => {
      const replacements = over
        .filter(({ offset, length }) => offset + length <= size)
        .map((extent, i): Replacement => ({ ...extent, extent: i % 3 === every ? null : extent }));
      const expected = toModel(base, size);
      for (const { offset, length, extent } of replacements) {
        expected.fill(null, offset, offset + length);
        if (extent !== null) {
          toModel([extent], size).forEach((place, i) => {
            if (place !== null) expected[i] = place;
          });
        }
      }
      expect(toModel(replaceExtents(base, replacements, size), size)).toEqual(expected);
    }),
  );
});

test("pieces and holes are what differs, and nothing else", () => {
  fc.assert(
    fc.property(anyExtents, anyExtents, (before, after) => {
      const { pieces, holes } = compareExtents(before, after);
      const old = toModel(before, SIZE);
      const wanted = toModel(after, SIZE);
      const fetched = toModel(pieces, SIZE);
      const punched = Array.from({ length: SIZE }, () => false);
      for (const { offset, length } of holes) punched.fill(true, offset, offset + length);
      for (let i = 0; i < SIZE; i += 1) {
        expect(fetched[i]).toBe(wanted[i] === old[i] ? null : wanted[i]);
        expect(punched[i]).toBe(old[i] !== null && wanted[i] === null);
      }
    }),
  );
});
