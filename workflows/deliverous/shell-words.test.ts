import { execFileSync } from "node:child_process";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { splitShellWords } from "./shell-words.ts";

/** Characters that quote, separate or escape, and none that a shell would expand or redirect. */
const line = fc
  .array(fc.constantFrom("a", "é", " ", "\t", "'", '"', "\\", "=", "-", "\n"), { maxLength: 14 })
  .map((chars) => chars.join(""));

test("words are split as a POSIX shell splits them", () => {
  fc.assert(
    fc.property(line, (text) => {
      const split = splitShellWords(text);
      // A newline outside quotes ends a shell's command; here it separates words.
      fc.pre(split.ok && !text.includes("\n"));
      if (!split.ok) return;
      const script = `set -- ${text}\nfor word; do printf '%s\\0' "$word"; done`;
      const words = execFileSync("sh", ["-c", script], { encoding: "utf8" })
        .split("\0")
        .slice(0, -1);
      expect(split.value).toEqual(words);
    }),
    { numRuns: 150 },
  );
});

test("an open quote, a last backslash and no word at all are refused", () => {
  for (const text of ["'a", '"a', "a\\", "", "  \n "]) expect(splitShellWords(text).ok).toBe(false);
});
