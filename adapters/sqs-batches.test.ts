import fc from "fast-check";
import { expect, test } from "vitest";
import { BATCH_MESSAGES_MAX, encodeBody, MESSAGE_BYTES_MAX, splitBatches } from "./sqs-batches.ts";

test("batches keep the order, lose nothing, and fit what one call takes", () => {
  const text = fc.oneof(
    fc.string({ maxLength: 50 }),
    fc.integer({ min: 0, max: MESSAGE_BYTES_MAX }).map((bytes) => "x".repeat(bytes)),
  );
  fc.assert(
    fc.property(fc.array(text, { maxLength: 40 }), (texts) => {
      const batches = splitBatches(texts);
      expect(batches.flat()).toEqual(texts);
      for (const batch of batches) {
        expect(batch.length).toBeGreaterThan(0);
        expect(batch.length).toBeLessThanOrEqual(BATCH_MESSAGES_MAX);
        const bytes = batch.reduce((sum, one) => sum + Buffer.byteLength(one), 0);
        expect(bytes).toBeLessThanOrEqual(MESSAGE_BYTES_MAX);
      }
    }),
  );
});

test("a message above the limit is refused before anything is sent; bytes count, not letters", () => {
  expect(splitBatches(["é".repeat(MESSAGE_BYTES_MAX / 2)])).toHaveLength(1);
  expect(() => splitBatches(["small", "é".repeat(MESSAGE_BYTES_MAX / 2 + 1)])).toThrow(/too large/);
});

test("any body is ASCII on the wire and parses to itself", () => {
  fc.assert(
    fc.property(fc.json(), fc.string({ unit: "binary" }), (json, text) => {
      const body = { json: JSON.parse(json), text };
      expect(encodeBody(body)).toMatch(/^[ -~]*$/);
      expect(JSON.parse(encodeBody(body))).toEqual(JSON.parse(JSON.stringify(body)));
    }),
  );
});
