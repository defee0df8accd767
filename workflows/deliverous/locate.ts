/** Finds the line and column at which a value, or its key, stands in a YAML document. */
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, type LineCounter } from "yaml";

export interface SourceMap {
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
}

export type Path = readonly (string | number)[];

export interface Place {
  /** Both count from 1. */
  readonly line: number;
  readonly column: number;
}

/**
 * The place of the value at a path, or of its key. Where the path leads nowhere (a missing key, a
 * value behind an alias or a merge key), the place of the last part that stands in the text.
 */
export const locate = (
  { document, lines }: SourceMap,
  path: Path,
  part: "key" | "value",
): Place => {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [depth, step] of path.entries()) {
    const isLast = depth === path.length - 1;
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === `${step}`);
      if (pair === undefined) break;
      const keyOffset = startOf(pair.key) ?? offset;
      offset = isLast && part === "key" ? keyOffset : (startOf(pair.value) ?? keyOffset);
      if (!isLast && isMap(pair.value) && !hasKey(pair.value, path[depth + 1])) offset = keyOffset;
      node = pair.value;
    } else if (isSeq(node)) {
      const item: unknown = node.items[Number(step)];
      if (item === undefined) break;
      offset = startOf(item) ?? offset;
      node = item;
    } else {
      break;
    }
    if (isAlias(node)) break;
  }
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
};

const startOf = (node: unknown): number | null => (isNode(node) ? (node.range?.[0] ?? null) : null);

const hasKey = (map: { readonly items: readonly { readonly key: unknown }[] }, step: unknown) =>
  map.items.some(({ key }) => isScalar(key) && String(key.value) === `${step}`);

/** `["conteneur", "volumes", 0, "path"]` → `conteneur.volumes[0].path`. */
export const renderPath = (path: Path): string =>
  path.reduce<string>((text, step) => {
    if (typeof step === "number") return `${text}[${step}]`;
    return text === "" ? step : `${text}.${step}`;
  }, "");
