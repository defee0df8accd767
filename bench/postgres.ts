/**
 * `npm run bench -- postgres`: PostgreSQL moved many times under pgbench, through an edge. What counts
 * is what is not there: missing transactions, wrong indexes, books that do not balance.
 */
import { attachOrStartLab, FULL_LAB } from "../infra/lab/lab.ts";
import { movePostgres, type PostgresRun } from "../test/lab/postgres-scene.ts";
import type { Bench, Row } from "./bench.ts";

const SCALE = 10;

export const postgresBench: Bench = {
  title: "PostgreSQL",
  options: { moves: { type: "string", default: "20" } },
  run: async ({ options, isQuick, log }, signal) => {
    const lab = await attachOrStartLab(FULL_LAB, log, signal);
    const moves = isQuick ? 2 : Number(options["moves"]);
    try {
      const run = await movePostgres(lab, { moves, scale: SCALE, log }, signal);
      return { rows: rowsOf(run), about: about(run) };
    } finally {
      await lab.stop(AbortSignal.timeout(120_000));
    }
  },
};

const rowsOf = ({ moves, corruption, pgbenchCommitted, isBalanced }: PostgresRun): Row[] => {
  const none = (work: string, ours: number, peer: string, theirs: number): Row => ({
    ...{ work, on: "all moves", unit: "count", ours, peer, theirs },
    ...{ ratio: ours === 0 ? 1 : 0, target: 1 },
  });
  const failed = moves.filter(({ result }) => result !== "deployed").length;
  const missing = moves.reduce((sum, move) => sum + move.missing.length, 0);
  return [
    none("moves that failed", failed, "moves", moves.length),
    none("committed transactions missing", missing, "acknowledged", acknowledgedIn(moves)),
    none("moves after which amcheck found anything", corruption.length, "moves", moves.length),
    none("books that do not balance", isBalanced ? 0 : 1, "pgbench's commits", pgbenchCommitted),
  ];
};

const acknowledgedIn = (moves: PostgresRun["moves"]): number => moves.at(-1)?.acknowledged ?? 0;

const about = ({ moves, bytes }: PostgresRun): string => {
  const gaps = moves.flatMap(({ gapMs }) => gapMs ?? []).sort((a, b) => a - b);
  const median = gaps[Math.floor(gaps.length / 2)] ?? 0;
  return `PostgreSQL (Debian's, ${(bytes / 1e6).toFixed(0)} MB in the end) under pgbench with 4 clients is moved ${moves.length} times between two Docker
engines over Ceph RGW and ElasticMQ, its clients at an edge's TCP port. Beside pgbench a client commits numbered rows and keeps what was
acknowledged; after each move all of it is looked for, and \`pg_amcheck --heapallindexed --parent-check --rootdescend\` checks every table and
index; in the end pgbench's accounts, tellers, branches and history must have one sum. Gap: median ${median} ms, longest ${gaps.at(-1) ?? 0} ms.`;
};
