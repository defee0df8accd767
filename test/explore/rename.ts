/**
 * The same value under other names: epochs by their order alone, and nodes that nothing tells apart. The
 * rules compare epochs, and nodes, and do nothing else with them.
 */

/** Fields that are an epoch; fences are maps of them, and names of steps and copies end with one. */
const EPOCH_FIELDS = new Set(["epoch", "epochCounter", "taintedBy"]);
const EPOCH_IN_NAME = /-e(\d+)/g;

/** Adds every epoch that the value speaks of; 0 is none. */
export const collectEpochs = (value: unknown, into: Set<number>, field = ""): void => {
  if (typeof value === "number") {
    if (EPOCH_FIELDS.has(field) && value > 0) into.add(value);
  } else if (typeof value === "string") {
    for (const [, epoch] of value.matchAll(EPOCH_IN_NAME)) into.add(Number(epoch));
  } else if (typeof value === "object" && value !== null) {
    const isFence = field === "fences";
    for (const [name, inner] of Object.entries(value)) {
      if (EPOCH_IN_NAME.test(name)) collectEpochs(name, into);
      collectEpochs(inner, into, nameWithin(value, field, name, isFence));
    }
  }
};

/** Below `fences` are two maps of epochs; in arrays the field's name goes on. */
const nameWithin = (value: object, field: string, name: string, isFence: boolean): string => {
  if (isFence) return "fence map";
  if (field === "fence map") return "epoch";
  return Array.isArray(value) ? field : name;
};

export interface Names {
  readonly epoch: (epoch: number) => number;
  readonly node: (name: string) => string;
}

export const rename = <T>(value: T, names: Names): T => renameIn(value, names, "") as T;

const renameIn = (value: unknown, names: Names, field: string): unknown => {
  if (typeof value === "number") {
    return EPOCH_FIELDS.has(field) && value > 0 ? names.epoch(value) : value;
  }
  if (typeof value === "string") return renameText(value, names);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((inner) => renameIn(inner, names, field));
  const isFence = field === "fences";
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      renameIn(inner, names, nameWithin(value, field, name, isFence)),
    ]),
  );
};

const renameText = (text: string, names: Names): string =>
  text.includes("-e")
    ? text.replace(EPOCH_IN_NAME, (_all, epoch: string) => `-e${names.epoch(Number(epoch))}`)
    : names.node(text);
