/** Splits a command line into words as a shell would, running nothing: Compose's string commands. */
import { accept, type Outcome, refuse } from "./outcome.ts";

const EXAMPLE = 'write `["program", "argument"]` or a command line';

/** `sh -c 'a b'` → ["sh", "-c", "a b"]. Quotes and backslashes as in POSIX; no pipes, no globs. */
export const splitShellWords = (line: string): Outcome<string[]> => {
  const words: string[] = [];
  let word: string | null = null;
  let quote: "'" | '"' | null = null;
  for (let index = 0; index < line.length; index++) {
    const char = line.charAt(index);
    if (quote !== "'" && char === "\\") {
      const next = line.charAt(++index);
      if (next === "") return refuse("the command ends in a backslash", "remove or double it");
      // Within double quotes a backslash is itself, unless it precedes one of these.
      const keeps = quote === '"' && !'"\\$`\n'.includes(next);
      word = `${word ?? ""}${keeps ? "\\" : ""}${next === "\n" ? "" : next}`;
    } else if (quote !== null) {
      if (char === quote) quote = null;
      else word = `${word ?? ""}${char}`;
    } else if (char === "'" || char === '"') {
      quote = char;
      word ??= "";
    } else if (/\s/.test(char)) {
      if (word !== null) words.push(word);
      word = null;
    } else {
      word = `${word ?? ""}${char}`;
    }
  }
  if (quote !== null) return refuse(`the quote ${quote} is never closed`, "close it");
  if (word !== null) words.push(word);
  return words.length === 0 ? refuse("the command is empty", EXAMPLE) : accept(words);
};

/** A command as Compose has it: a line to split, or a list taken as it is. */
export const parseCommand = (command: string | readonly string[]): Outcome<string[]> => {
  if (typeof command === "string") return splitShellWords(command);
  return command.length === 0 || command[0] === ""
    ? refuse("the command is empty", EXAMPLE)
    : accept([...command]);
};
