import { expect, test } from "vitest";
import { elapsedMs } from "./elapsed-ms.ts";

// A hydrate's report was malformed for it, and the deploy waited for another one for ever.
test("34: a clock that is set back makes a duration short, never negative", () => {
  expect(elapsedMs(10_000, 12_000.4)).toBe(2_000);
  expect(elapsedMs(10_000, 9_000)).toBe(0);
});
