/** What a benchmark is: a name to call it by, options of its own, and rows that are ratios. */
import type { ParseArgsOptionsConfig } from "node:util";

/** One comparison in one run. Times alone say little elsewhere; the ratio is what is held. */
export interface Row {
  readonly work: string;
  /** What it ran on: a file system, a number of nodes, … */
  readonly on: string;
  readonly unit: "ms" | "bytes" | "count";
  readonly ours: number;
  readonly peer: string;
  readonly theirs: number;
  /** How many times better ours is than theirs (for ceilings: ours as a share of it). */
  readonly ratio: number;
  /** The ratio to reach; null: shown for what it is. */
  readonly target: number | null;
}

export interface BenchResult {
  readonly rows: readonly Row[];
  /** Markdown between the section's heading and its table: what was measured, and how. */
  readonly about: string;
  /** Pictures for the page, by the name of their file in docs/ (`benchmarks-….svg`). */
  readonly plots?: ReadonlyMap<string, string>;
}

export interface BenchContext {
  /** The bench's own options as given, defaults filled in. */
  readonly options: Readonly<Record<string, unknown>>;
  /** A run of a minute or two, to see that it works: its numbers are never written to the page. */
  readonly isQuick: boolean;
  /** A directory of this run alone; removed after it. */
  readonly scratch: string;
  /** What goes on, for whoever waits; never part of the result. */
  readonly log: (line: string) => void;
}

export interface Bench {
  /** Heading of its section in docs/benchmarks.md. */
  readonly title: string;
  /** Options beside --json, --write and --quick. */
  readonly options: ParseArgsOptionsConfig;
  run(context: BenchContext, signal: AbortSignal): Promise<BenchResult>;
}
