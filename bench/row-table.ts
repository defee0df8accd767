/** Collects a benchmark's rows; what was measured in several rounds becomes medians of one ratio each. */
import type { Row } from "./bench.ts";

/** One round: ours and theirs, one right after the other. */
export interface Round {
  readonly ours: number;
  readonly theirs: number;
}

export interface RowTable {
  readonly rows: Row[];
  /** A row of what it took; less is better. */
  less(row: Compared, rounds: readonly Round[]): void;
  /** A row against a bound that must not be passed. */
  atMost(row: Omit<Compared, "target">, bound: number, ours: number): void;
}

export type Compared = Pick<Row, "work" | "unit" | "peer" | "target">;

export const openRowTable = (on: string, log: (line: string) => void): RowTable => {
  const rows: Row[] = [];
  const add = (row: Row): void => {
    rows.push(row);
    log(`${row.on}: ${row.work} against ${row.peer}: ${row.ratio.toFixed(2)}x`);
  };
  return {
    rows,
    less: (row, rounds) =>
      add({
        ...row,
        on,
        ours: median(rounds.map(({ ours }) => ours)),
        theirs: median(rounds.map(({ theirs }) => theirs)),
        ratio: median(rounds.map(({ ours, theirs }) => theirs / ours)),
      }),
    atMost: (row, bound, ours) =>
      add({ ...row, on, ours, theirs: bound, ratio: bound / ours, target: 1 }),
  };
};

/** The middle one; of an even number the mean of the two. */
export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const [low = 0, high = 0] = [sorted[Math.floor(middle)], sorted[Math.ceil(middle)]];
  return (low + high) / 2;
};
