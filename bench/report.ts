/** Puts what a benchmark found into its section of docs/benchmarks.md, its pictures beside it. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import type { BenchResult } from "./bench.ts";
import { formatMarkdown } from "./format-rows.ts";
import { replaceSection } from "./replace-section.ts";

const inDocs = (name: string): string => fileURLToPath(new URL(`../docs/${name}`, import.meta.url));

const HEADING = `# Benchmarks

Each section is written by \`npm run bench -- NAME --write\`. Every peer runs in the same run, on the same machine, file
system and store. Times of one machine say little elsewhere; the ratios are what is held: how many times less
bagage took; against a ceiling, the share of it that was reached.
`;

export const writeReport = (
  name: string,
  title: string,
  { rows, about, plots = new Map() }: BenchResult,
): void => {
  const page = inDocs("benchmarks.md");
  const before = existsSync(page) ? readFileSync(page, "utf8") : HEADING;
  for (const [file, svg] of plots) writeFileSync(inDocs(file), svg);
  const pictures = [...plots.keys()].map((file) => `![${file}](${file})`);
  const parts = [`## ${title}`, `${about}\n\n${describeMachine()}`, formatMarkdown(rows)];
  writeFileSync(page, replaceSection(before, name, [...parts, ...pictures].join("\n\n")));
};

const describeMachine = (): string => {
  const { model = "unknown processor" } = cpus()[0] ?? {};
  const memory = Math.round(totalmem() / 2 ** 30);
  const day = new Date().toISOString().slice(0, 10);
  return `On ${cpus().length} cores (${model}), ${memory} GiB, Linux ${release()}, ${day}.`;
};
