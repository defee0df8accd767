/** Turns what zod found into sentences: what is wrong, where, and what would be right. */
import type * as z from "zod";
import { closestWord } from "./closest-word.ts";
import { EXAMPLES, INSTEAD_OF, KEYS } from "./vocabulary.ts";

export interface Finding {
  readonly path: readonly (string | number)[];
  readonly part: "key" | "value";
  readonly message: string;
  readonly remedy: string;
}

type Issue = z.core.$ZodIssue;

/** Every issue of one container's entry; paths begin with the container's name. */
export const explainIssues = (name: string, entry: unknown, issues: readonly Issue[]): Finding[] =>
  issues.flatMap((issue) => explain(issue, [name], entry));

const explain = (issue: Issue, base: Finding["path"], entry: unknown): Finding[] => {
  const path = [...base, ...toPath(issue.path)];
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey(path, key));
  if (issue.code === "invalid_union") {
    // The branch that recognised the kind of value says what is wrong inside it.
    const inner = issue.errors.find((errors) => errors.every((error) => error.path.length > 0));
    if (inner !== undefined) return inner.flatMap((error) => explain(error, path, entry));
  }
  const kind = kindOf(path);
  const field = fieldOf(path);
  const example = EXAMPLES[kind];
  const write = example === undefined ? `correct ${field}` : `write for example \`${example}\``;
  if (issue.code === "custom") {
    const remedy: unknown = issue.params?.["remedy"];
    const finding = { path, part: "value" as const, message: issue.message };
    return [{ ...finding, remedy: typeof remedy === "string" ? remedy : write }];
  }
  const value = path.slice(1).reduce<unknown>(childOf, entry);
  if (value === undefined) {
    return [{ path, part: "key", message: `${field} is missing`, remedy: write }];
  }
  return [{ path, part: "value", message: describe(issue, field, value), remedy: write }];
};

/** `image`, `an entry of volumes`, `container web`. */
const fieldOf = (path: Finding["path"]): string => {
  const key = `${path.findLast((step) => typeof step === "string")}`;
  if (path.length === 1) return `container ${key}`;
  return typeof path.at(-1) === "number" ? `an entry of ${key}` : key;
};

const describe = (issue: Issue, field: string, value: unknown): string => {
  switch (issue.code) {
    case "invalid_type":
      return `${field} must be ${nounOf(issue.expected)}, not ${describeValue(value)}`;
    case "invalid_value":
      return `${field} must be ${issue.values.map(String).join(" or ")}, not ${describeValue(value)}`;
    case "too_big":
      return `${field} must be at most ${issue.maximum}`;
    case "too_small":
      return `${field} must be at least ${issue.minimum}`;
    default:
      return `${field} can't be ${describeValue(value)}`;
  }
};

const NOUNS: Readonly<Record<string, string>> = {
  string: "a text",
  array: "a list",
  object: "a map",
  record: "a map",
  int: "a whole number",
  number: "a number",
  boolean: "true or false",
};
const nounOf = (expected: string): string => NOUNS[expected] ?? expected;

const describeValue = (value: unknown): string => {
  if (value === null) return "empty";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  return typeof value === "string" ? `"${value.slice(0, 60)}"` : `${value}`;
};

const unknownKey = (path: Finding["path"], key: string): Finding => {
  const kind = kindOf(path);
  const known = KEYS[kind] ?? [];
  const meant = closestWord(key, known);
  const instead = kind === "" ? INSTEAD_OF[key] : undefined;
  const listed = `the keys here are ${known.join(", ")}`;
  return {
    path: [...path, key],
    part: "key",
    message: `the key "${key}" is not known here`,
    remedy: instead ?? (meant === null ? listed : `did you mean "${meant}"?`),
  };
};

/** `["conteneur", "volumes", 0, "path"]` → `volumes.path`: the same for every container and item. */
const kindOf = (path: Finding["path"]): string =>
  path
    .slice(1)
    .filter((step) => typeof step === "string")
    .join(".");

const toPath = (path: readonly PropertyKey[]): (string | number)[] =>
  path.map((step) => (typeof step === "number" ? step : String(step)));

const childOf = (value: unknown, step: string | number): unknown =>
  value !== null && typeof value === "object" && Object.hasOwn(value, step)
    ? (value as Record<string | number, unknown>)[step]
    : undefined;
