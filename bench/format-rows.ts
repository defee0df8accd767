/** Rows of a benchmark as a table: for a terminal, and for a page in Markdown. */
import type { Row } from "./bench.ts";

const MIB = 2 ** 20;
const KIB = 2 ** 10;
const HEAD = ["work", "on", "bagage", "against", "takes", "ratio", "to reach", "so"];

export const formatAmount = (value: number, unit: Row["unit"]): string => {
  if (unit === "count") return String(Math.round(value));
  if (unit === "ms") return value < 1_000 ? `${value.toFixed(0)} ms` : seconds(value);
  return value < MIB ? `${(value / KIB).toFixed(1)} KiB` : `${(value / MIB).toFixed(1)} MiB`;
};

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(2)} s`;

const verdict = ({ ratio, target }: Row): string => {
  if (target === null) return "";
  return ratio >= target ? "reached" : "missed";
};

const cells = (row: Row): string[] => [
  row.work,
  row.on,
  formatAmount(row.ours, row.unit),
  row.peer,
  formatAmount(row.theirs, row.unit),
  `${row.ratio.toFixed(2)}x`,
  row.target === null ? "" : `${row.target.toFixed(2)}x`,
  verdict(row),
];

export const formatTable = (rows: readonly Row[]): string => {
  const table = [HEAD, ...rows.map(cells)];
  const widths = HEAD.map((_, i) => Math.max(...table.map((line) => (line[i] ?? "").length)));
  const pad = (cell: string, i: number): string => cell.padEnd(widths[i] ?? 0);
  return table.map((line) => line.map(pad).join("  ").trimEnd()).join("\n");
};

export const formatMarkdown = (rows: readonly Row[]): string =>
  [HEAD, HEAD.map(() => "---"), ...rows.map(cells)]
    .map((line) => `| ${line.join(" | ")} |`)
    .join("\n");
