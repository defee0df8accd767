/**
 * Compose's dollar rule for every string: `$$` is a dollar. A variable (`${NAME}`) is refused: the
 * file is read from git by a function that has no shell's environment to take values from.
 */
import type { Flaw } from "./outcome.ts";

type At = readonly (string | number)[];

/** The value with dollars unescaped, and what is wrong; bounded by the size of the value. */
export const expandDollars = (value: unknown): { value: unknown; flaws: Flaw[] } => {
  const flaws: Flaw[] = [];
  const expand = (inner: unknown, at: At): unknown => {
    if (typeof inner === "string") {
      const flaw = findFlaw(inner);
      if (flaw !== null) flaws.push({ ...flaw, at });
      return inner.replaceAll("$$", "$");
    }
    if (Array.isArray(inner)) return inner.map((item, index) => expand(item, [...at, index]));
    if (inner === null || typeof inner !== "object") return inner;
    return Object.fromEntries(
      Object.entries(inner).map(([key, item]) => [key, expand(item, [...at, key])]),
    );
  };
  return { value: expand(value, []), flaws };
};

/** The opposite, for writing a file. */
export const escapeDollars = (text: string): string => text.replaceAll("$", "$$$$");

const findFlaw = (text: string): Flaw | null => {
  if (text.includes("\0")) {
    return { message: "the text has a NUL character", remedy: "remove it" };
  }
  const variable = /\$(?:\{[^}]*\}?|\w*)/.exec(text.replaceAll("$$", ""))?.[0];
  return variable === undefined
    ? null
    : {
        message: `${variable} is a variable, and there is no environment to take it from`,
        remedy: "write the value, or `$$` for a dollar sign",
      };
};
