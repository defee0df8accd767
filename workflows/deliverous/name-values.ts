/** `environment` and `labels`: a map, or a list of KEY=VALUE. */
import { accept, type Flaw, type Outcome } from "./outcome.ts";

type Given = Readonly<Record<string, string | number | boolean | null>> | readonly string[];

interface Pair {
  readonly name: string;
  readonly value: string | null;
  readonly at: string | number;
}

/** Labels of the platform; a container that wore them would be taken for another. */
const RESERVED_LABELS = "bagage.";

/** Every variable with its value. A bare KEY is refused: no shell's environment is at hand here. */
export const parseEnvironment = (given: Given): Outcome<Record<string, string>> =>
  collect(given, ({ name, value, at }) => {
    if (value !== null) return null;
    const remedy = Array.isArray(given)
      ? `write ${name}=value, or ${name}= for an empty one`
      : `write ${name}: "" for an empty one`;
    return { message: `the variable ${name} has no value`, remedy, at: [at] };
  });

/** Every label with its value; a bare one is empty, as in Compose. */
export const parseLabels = (given: Given): Outcome<Record<string, string>> =>
  collect(given, ({ name, at }) =>
    name.startsWith(RESERVED_LABELS)
      ? {
          message: `labels that begin with "${RESERVED_LABELS}" are the platform's`,
          remedy: "choose another name",
          at: [at],
        }
      : null,
  );

const collect = (
  given: Given,
  findFlaw: (pair: Pair) => Flaw | null,
): Outcome<Record<string, string>> => {
  const flaws: Flaw[] = [];
  const values = new Map<string, string>();
  for (const pair of toPairs(given)) {
    const flaw = findNameFlaw(pair, values) ?? findFlaw(pair);
    if (flaw === null) values.set(pair.name, pair.value ?? "");
    else flaws.push(flaw);
  }
  return flaws.length > 0 ? { ok: false, flaws } : accept(Object.fromEntries(values));
};

const isList = (given: Given): given is readonly string[] => Array.isArray(given);

const toPairs = (given: Given): Pair[] => {
  if (!isList(given)) {
    return Object.entries(given).map(([name, value]) => ({
      name,
      value: value === null ? null : `${value}`,
      at: name,
    }));
  }
  return given.map((entry, at) => {
    const end = entry.indexOf("=");
    return end < 0
      ? { name: entry, value: null, at }
      : { name: entry.slice(0, end), value: entry.slice(end + 1), at };
  });
};

const findNameFlaw = ({ name, at }: Pair, values: ReadonlyMap<string, string>): Flaw | null => {
  if (name === "" || name === "__proto__" || /[\s=\p{Cc}]/u.test(name)) {
    return { message: `"${name}" is not a name`, remedy: "use letters, digits and _", at: [at] };
  }
  if (!values.has(name)) return null;
  return { message: `${name} is there twice`, remedy: "keep one of them", at: [at] };
};
