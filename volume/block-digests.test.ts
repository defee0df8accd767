import { randomBytes } from "node:crypto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  BLOCK_BYTES,
  blockBytesOf,
  createBlockDigests,
  decodeBlockDigests,
  digestBlock,
} from "./block-digests.ts";

const anyChange = fc.record({ index: fc.nat(5_000), seed: fc.option(fc.nat(20)) });
const digestOf = (seed: number | null): Buffer | null =>
  seed === null ? null : Buffer.alloc(32, seed + 1);

test("behaves as a map of indexes, through encoding and copies", () => {
  fc.assert(
    fc.property(
      fc.array(anyChange),
      fc.array(anyChange),
      fc.nat(6_000),
      fc.boolean(),
      (first, second, cut, isTwin) => {
        const model = new Map<number, Buffer>();
        const apply = (table: ReturnType<typeof createBlockDigests>, changes: typeof first) => {
          for (const { index, seed } of changes) {
            const digest = digestOf(seed);
            table.set(index, digest);
            if (digest === null) model.delete(index);
            else model.set(index, digest);
          }
        };
        const original = createBlockDigests();
        apply(original, first);
        const before = original.encode();
        const table = decodeBlockDigests(before).copy();
        const twin = original.copy();
        const view = decodeBlockDigests(before);
        apply(table, second);
        for (const { index, seed } of second) view.set(index, digestOf(seed));
        // Pages are shared until one of the two changes them, whichever it is.
        const [changed, kept] = isTwin ? [twin, original] : [original, twin];
        apply(changed, second);
        expect(kept.encode()).toEqual(before);
        changed.truncate(cut);
        expect(kept.encode()).toEqual(before);
        table.truncate(cut);
        view.truncate(cut);
        const expected = [...model.keys()].filter((index) => index < cut).sort((a, b) => a - b);
        expect([...table.nonZero(0, 10_000)]).toEqual(expected);
        for (const index of expected) expect(table.get(index)).toEqual(model.get(index));
        expect(view.encode()).toEqual(table.encode());
        expect(changed.encode()).toEqual(table.encode());
        expect(Buffer.concat(changed.encodeParts())).toEqual(changed.encode());
      },
    ),
  );
});

test("equal content has an equal digest, whatever was there before", () => {
  const straight = createBlockDigests();
  straight.set(3, digestOf(1));
  const detour = createBlockDigests();
  detour.set(3_000, digestOf(2));
  detour.set(9, digestOf(2));
  detour.set(3, digestOf(1));
  detour.set(9, null);
  detour.set(3_000, null);
  expect(detour.digestFile(40_000)).toBe(straight.digestFile(40_000));
  expect(detour.digestFile(40_001)).not.toBe(straight.digestFile(40_000));
});

test("a block of zeros has no digest, any other has", () => {
  expect(digestBlock(Buffer.alloc(BLOCK_BYTES))).toBeNull();
  expect(digestBlock(Buffer.alloc(2 ** 21))).toBeNull();
  const last = Buffer.alloc(2 ** 21);
  last[last.length - 1] = 1;
  expect(digestBlock(last)).not.toBeNull();
  expect(digestBlock(randomBytes(BLOCK_BYTES))).toHaveLength(32);
});

test("a table stays small for any size of file", () => {
  expect(blockBytesOf(0)).toBe(BLOCK_BYTES);
  expect(blockBytesOf(8 * 2 ** 30)).toBe(BLOCK_BYTES);
  expect(blockBytesOf(8 * 2 ** 30 + 1)).toBe(2 * BLOCK_BYTES);
  for (const size of [200 * 2 ** 30, 16 * 2 ** 40]) {
    expect(size / blockBytesOf(size)).toBeLessThanOrEqual(2 ** 21);
  }
});
