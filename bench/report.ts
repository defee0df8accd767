/** What the benchmarks say, as a table for people, a page for the documentation, and a plot. */
import { writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import type { Row } from "./engine-rows.ts";

const PAGE = fileURLToPath(new URL("../docs/benchmarks.md", import.meta.url));
const PLOT = fileURLToPath(new URL("../docs/benchmarks.svg", import.meta.url));
const MIB = 2 ** 20;

const amount = (value: number, unit: Row["unit"]): string =>
  unit === "ms" ? `${(value / 1_000).toFixed(2)} s` : `${(value / MIB).toFixed(2)} MiB`;

const cells = (row: Row): string[] => [
  row.work,
  row.fileSystem,
  amount(row.ours, row.unit),
  row.peer,
  amount(row.theirs, row.unit),
  `${row.ratio.toFixed(2)}x`,
  `${row.target.toFixed(2)}x`,
  row.ratio >= row.target ? "reached" : "missed",
];

const HEAD = ["work", "on", "bagage", "against", "takes", "ratio", "to reach", "so"];

export const formatTable = (rows: readonly Row[]): string => {
  const table = [HEAD, ...rows.map(cells)];
  const widths = HEAD.map((_, i) => Math.max(...table.map((line) => (line[i] ?? "").length)));
  return table
    .map((line) =>
      line
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
};

const formatMarkdown = (rows: readonly Row[]): string =>
  [HEAD, HEAD.map(() => "---"), ...rows.map(cells)]
    .map((line) => `| ${line.join(" | ")} |`)
    .join("\n");

/** Writes docs/benchmarks.md and docs/benchmarks.svg. */
export const writeReport = (rows: readonly Row[]): void => {
  const { model = "unknown processor" } = cpus()[0] ?? {};
  const machine = `${cpus().length} cores (${model}), ${Math.round(totalmem() / 2 ** 30)} GiB`;
  writeFileSync(
    PAGE,
    `# Benchmarks

Made by \`npm run bench -- engine --write\` on ${machine}, with Ceph RGW and its one OSD on the same
machine. Every peer runs in the same run, on the same loop-mounted file system, against the same store.
Times of one machine say little elsewhere; the ratios are what is held.

${formatMarkdown(rows)}

A ratio is how many times less bagage took; against a ceiling (raw PUTs, raw GETs) it is the share of
it that was reached; against the changed rows, changed bytes by stored bytes.

![ratios](benchmarks.svg)
`,
  );
  writeFileSync(PLOT, formatPlot(rows));
};

const BAR = { height: 18, gap: 8, left: 330, width: 520 };

/** Bars on a logarithmic scale: to the right of the line is better than the target. */
const formatPlot = (rows: readonly Row[]): string => {
  const height = rows.length * (BAR.height + BAR.gap) + 40;
  const scale = (ratio: number): number =>
    (BAR.width * Math.log10(Math.max(ratio, 0.05) / 0.05)) / Math.log10(2_000);
  const bars = rows.map((row, i) => {
    const y = 20 + i * (BAR.height + BAR.gap);
    const isReached = row.ratio >= row.target;
    const label = `${row.work} (${row.fileSystem}) vs ${row.peer}`;
    const target = BAR.left + scale(row.target);
    return [
      `<text x="${BAR.left - 8}" y="${y + 13}" text-anchor="end">${label}</text>`,
      `<rect x="${BAR.left}" y="${y}" width="${scale(row.ratio).toFixed(1)}" height="${BAR.height}"`,
      ` fill="${isReached ? "#2a7" : "#c63"}"/>`,
      `<line x1="${target.toFixed(1)}" x2="${target.toFixed(1)}" y1="${y - 2}" `,
      `y2="${y + BAR.height + 2}" stroke="#000"/>`,
      `<text x="${(BAR.left + scale(row.ratio) + 6).toFixed(1)}" y="${y + 13}">`,
      `${row.ratio.toFixed(2)}x</text>`,
    ].join("");
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="940" height="${height}" \
font-family="sans-serif" font-size="12">
${bars.join("\n")}
</svg>
`;
};
