/**
 * From bytes to plain values and the document they stand in. Nothing here knows what the keys mean;
 * whatever the bytes are, the answer is a value or located problems, never an exception.
 */
import {
  type Document,
  isPair,
  isScalar,
  LineCounter,
  parseDocument,
  visit,
  type YAMLError,
} from "yaml";
import { hasBoundedSize } from "./has-bounded-size.ts";
import type { SourceMap } from "./locate.ts";

export interface LocatedProblem {
  /** Both count from 1. */
  readonly line: number;
  readonly column: number;
  /** Where in the values: `conteneur.volumes[0].path`; empty: the file. */
  readonly path: string;
  readonly message: string;
  readonly remedy: string;
}

export type Read =
  | { readonly ok: true; readonly value: unknown; readonly source: SourceMap }
  | { readonly ok: false; readonly problems: readonly LocatedProblem[] };

export const FILE_BYTES_MAX = 256 * 1024;
/** Stops aliases of aliases before they are expanded; has-bounded-size.ts bounds the rest. */
const ALIAS_COUNT_MAX = 1_000;
/** More than these say nothing that the first ones don't. */
const SYNTAX_PROBLEMS_MAX = 20;
const AS_WRITTEN = ["environment", "labels"];

/** Reads one YAML 1.2 document (merge keys `<<` allowed) of at most 256 KiB of UTF-8. */
export const readYaml = (text: string | Uint8Array): Read => {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  if (bytes.byteLength > FILE_BYTES_MAX) {
    const message = `the file has ${bytes.byteLength} bytes, more than ${FILE_BYTES_MAX}`;
    return fail(atStart(message, "keep data in volumes or in the image, not in this file"));
  }
  const decoded = decodeUtf8(bytes);
  if (typeof decoded !== "string") return fail(decoded);
  try {
    return parse(decoded);
  } catch (error) {
    // The parser recurses, and gives up on aliases of aliases.
    if (error instanceof RangeError || error instanceof ReferenceError) return fail(TOO_LARGE);
    return fail(atStart(`the YAML parser gave up: ${error}`, "write it in a simpler way"));
  }
};

const atStart = (message: string, remedy: string): LocatedProblem => ({
  line: 1,
  column: 1,
  path: "",
  message,
  remedy,
});

const TOO_LARGE = atStart(
  "the file is nested too deeply, or its aliases stand for too much",
  "write it flat, with fewer aliases",
);

const fail = (...problems: LocatedProblem[]): Read => ({ ok: false, problems });

const decodeUtf8 = (bytes: Uint8Array): string | LocatedProblem => {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    return decoder.decode(bytes);
  } catch {
    const lines = new TextDecoder("utf-8").decode(bytes).split("\n");
    const line = lines.findIndex((candidate) => candidate.includes("\uFFFD"));
    return {
      line: line + 1,
      column: (lines[line]?.indexOf("\uFFFD") ?? 0) + 1,
      path: "",
      message: "the file is not UTF-8 here",
      remedy: "save the file as UTF-8",
    };
  }
};

const parse = (text: string): Read => {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    merge: true,
    logLevel: "error",
    prettyErrors: false,
    keepSourceTokens: true,
    strict: true,
    // The parser's own check compares each key with each: findDuplicates does it in one pass.
    uniqueKeys: false,
  });
  const faults = [...document.errors, ...document.warnings];
  if (faults.some(({ code }) => code === "RESOURCE_EXHAUSTION")) return fail(TOO_LARGE);
  if (faults.length > 0) {
    const unclosed = findUnclosed({ document, lines });
    const others = faults.filter(
      ({ message }) => unclosed.length === 0 || !UNCLOSED_FLOW.test(message),
    );
    const problems = [...unclosed, ...others.map((fault) => explain(fault, lines))];
    return { ok: false, problems: problems.slice(0, SYNTAX_PROBLEMS_MAX) };
  }
  const duplicates = findDuplicates({ document, lines });
  if (duplicates.length > 0) return { ok: false, problems: duplicates };
  keepNamedValuesAsWritten(document);
  const source = { document, lines };
  const value: unknown = document.toJS({ maxAliasCount: ALIAS_COUNT_MAX });
  return hasBoundedSize(value) ? { ok: true, value, source } : fail(TOO_LARGE);
};

/** The parser tells of these at the end of the file, and some as wrong indentation. */
const UNCLOSED_FLOW = /^Flow (?:map|sequence) .*end with a [\]}]$/;

/** Every bracket that has no end, where it opens. */
const findUnclosed = ({ document, lines }: SourceMap): LocatedProblem[] => {
  const problems: LocatedProblem[] = [];
  visit(document, {
    Collection: (_, { srcToken }) => {
      if (srcToken?.type !== "flow-collection") return;
      const { source, offset } = srcToken.start;
      const closing = source === "{" ? "}" : "]";
      if (srcToken.end[0]?.source === closing) return;
      const { line, col } = lines.linePos(offset);
      const message = `the bracket ${source} is not closed`;
      problems.push({
        ...{ line, column: col, path: "" },
        ...{ message, remedy: `add ${closing} where it ends` },
      });
    },
  });
  return problems;
};

/** Every key that its map has already. */
const findDuplicates = ({ document, lines }: SourceMap): LocatedProblem[] => {
  const problems: LocatedProblem[] = [];
  visit(document, {
    Map: (_, map) => {
      const seen = new Set<string>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        const name = String(key.value);
        if (seen.has(name) && problems.length < SYNTAX_PROBLEMS_MAX) {
          const { line, col } = lines.linePos(key.range?.[0] ?? 0);
          const message = `the key "${name}" is there twice`;
          problems.push({ line, column: col, path: "", message, remedy: "keep one of them" });
        }
        seen.add(name);
      }
    },
  });
  return problems;
};

/** `VERSION: 1.10` is the text 1.10: a variable's or a label's value is no number. */
const keepNamedValuesAsWritten = (document: Document.Parsed): void => {
  visit(document, {
    Scalar: (position, scalar, ancestors) => {
      if (position === "key" || scalar.source === undefined) return;
      const isNamed = ancestors.some(
        (node) => isPair(node) && isScalar(node.key) && AS_WRITTEN.includes(String(node.key.value)),
      );
      const isText = typeof scalar.value === "string" || scalar.value === null;
      if (isNamed && !isText) scalar.value = scalar.source;
    },
  });
};

const REMEDIES: Readonly<Record<string, readonly [message: string, remedy: string]>> = {
  TAB_AS_INDENT: ["a tab can't indent in YAML", "indent with spaces"],
  MULTIPLE_DOCS: ["a second document begins here", "keep one document: remove the `---`"],
  TAG_RESOLVE_FAILED: ["the tag is not known", "remove the tag that begins with `!`"],
  BAD_ALIAS: ["the alias refers to no anchor above it", "define the anchor first, or write it out"],
  BAD_INDENT: ["the indentation fits nothing above", "align the line with its neighbours"],
  MISSING_CHAR: ["a character is missing", "check quotes, brackets, and the colon after each key"],
};

const explain = (fault: YAMLError, lines: LineCounter): LocatedProblem => {
  const { line, col } = lines.linePos(fault.pos[0]);
  const [message, remedy] = REMEDIES[fault.code] ?? [
    fault.message,
    "check quotes, brackets, and the colon after each key",
  ];
  return { line: Math.max(line, 1), column: Math.max(col, 1), path: "", message, remedy };
};
