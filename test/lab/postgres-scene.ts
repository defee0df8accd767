/**
 * PostgreSQL behind an edge, moved to and fro under pgbench, while a client outside records the number
 * of each transaction that was acknowledged: none may be missing after a move, and no index be wrong.
 */
import { randomBytes } from "node:crypto";
import * as z from "zod";
import { runCommand } from "../../infra/lab/command.ts";
import type { Lab } from "../../infra/lab/connect-lab.ts";
import { loadPostgresImage, postgresProgram } from "../../infra/lab/postgres-image.ts";
import { waitUntil } from "../../infra/lab/wait-until.ts";
import type { EndedDeploy } from "../../workflows/record.ts";
import { openScene } from "./deploy-scene.ts";
import { connectPostgres, Numbers } from "./postgres-connection.ts";
import { startNumbers, startPgbench } from "./postgres-load.ts";

const PORT = 8195;
const READY_TIMEOUT_MS = 60_000;
/** After a move the load runs on for so many transactions, before the next one begins. */
const BETWEEN_MOVES = 20;

export interface PostgresMove {
  readonly result: EndedDeploy["result"];
  readonly gapMs: number | null;
  /** Of all that were acknowledged so far. */
  readonly acknowledged: number;
  readonly missing: readonly number[];
}

export interface PostgresRun {
  readonly moves: readonly PostgresMove[];
  /** What pg_amcheck had to say after each move; each empty when all is well. */
  readonly corruption: readonly string[];
  /** Transactions that pgbench committed, and whether its books balance. */
  readonly pgbenchCommitted: number;
  readonly isBalanced: boolean;
  readonly bytes: number;
}

export interface PostgresOptions {
  readonly moves: number;
  /** Of pgbench: 15 MB each. */
  readonly scale: number;
  readonly log: (line: string) => void;
}

const file = (node: string) => `db:
    image: lab-postgres
    ports:
    - "${PORT}:5432"
    healthcheck:
      test: ["CMD", "pg_isready", "-q", "-U", "postgres", "-h", "127.0.0.1"]
      interval: 1s
      retries: 60
    stop_grace_period: 30s
    hold: 60s
    deploy:
      placement:
        constraints:
        - node.id == ${node}
    volumes:
    - name: cluster
      path: /var/lib/data
      before_copy: ["psql", "-q", "-U", "postgres", "-c", "CHECKPOINT"]
`;

export const movePostgres = async (
  lab: Lab,
  { moves: count, scale, log }: PostgresOptions,
  signal: AbortSignal,
): Promise<PostgresRun> => {
  await loadPostgresImage(lab, signal);
  const name = `postgres-${randomBytes(3).toString("hex")}`;
  const scene = await openScene(lab, { name, store: "s3", queue: "elasticmq" });
  const stops: (() => Promise<unknown>)[] = [scene.close];
  try {
    const { host } = await scene.installation.startEdge("a", "off");
    const place = { host, port: PORT };
    const move = async (node: string): Promise<EndedDeploy> => {
      const { commit } = await scene.repository.push({ Deliverous: file(node) }, `To ${node}`);
      return scene.ended(commit);
    };
    await move("x");
    const connection = connectPostgres(place);
    stops.unshift(connection.end);
    await waitUntil(
      async () =>
        (await connection.query("CREATE TABLE IF NOT EXISTS committed (n bigint PRIMARY KEY)")) &&
        true,
      { what: "the edge leads to PostgreSQL", timeoutMs: READY_TIMEOUT_MS },
      signal,
    );
    const env = { PGHOST: host, PGPORT: `${PORT}`, PGUSER: "postgres", PGDATABASE: "postgres" };
    const pgbench = postgresProgram("pgbench");
    await runCommand([pgbench, "-i", "-q", "-s", `${scale}`], { env }, signal);
    const load = startPgbench(pgbench, env);
    stops.unshift(load.stop);
    const numbers = startNumbers(place);
    stops.unshift(numbers.stop);
    const moves: PostgresMove[] = [];
    const corruption: string[] = [];
    for (let i = 1; i <= count; i += 1) {
      await numbers.further(BETWEEN_MOVES);
      const { result, gapMs } = await move(i % 2 === 1 ? "y" : "x");
      const acknowledged = [...numbers.acknowledged()];
      const there = new Set(Numbers.parse(await connection.query("SELECT n FROM committed")));
      const missing = acknowledged.filter((n) => !there.has(n));
      moves.push({ result, gapMs, acknowledged: acknowledged.length, missing });
      const found = await checkIndexes(env, signal);
      if (found !== "") corruption.push(`move ${i}: ${found}`);
      log(
        `move ${i} of ${count}: ${result}, gap ${gapMs} ms, ${acknowledged.length} acknowledged, ${missing.length} missing, amcheck ${found || "clean"}`,
      );
    }
    await numbers.stop();
    await load.stop();
    const [books] = z.tuple([Books]).parse(await connection.query(READ_BOOKS));
    const { accounts, tellers, branches, history } = books;
    return {
      ...{ moves, corruption, pgbenchCommitted: books.count, bytes: books.bytes },
      isBalanced: accounts === tellers && tellers === branches && branches === history,
    };
  } finally {
    for (const stop of stops) await stop();
  }
};

const Books = z.object({
  accounts: z.string(),
  tellers: z.string(),
  branches: z.string(),
  history: z.string(),
  count: z.int(),
  bytes: z.number(),
});
const READ_BOOKS = `SELECT
  (SELECT sum(abalance) FROM pgbench_accounts)::text AS accounts,
  (SELECT sum(tbalance) FROM pgbench_tellers)::text AS tellers,
  (SELECT sum(bbalance) FROM pgbench_branches)::text AS branches,
  (SELECT sum(delta) FROM pgbench_history)::text AS history,
  (SELECT count(*) FROM pgbench_history)::int AS count,
  pg_database_size('postgres')::float8 AS bytes`;

/** Every table and every B-tree, each heap tuple looked for in its indexes; empty when all is well. */
const checkIndexes = async (
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<string> => {
  const flags = ["--install-missing", "--heapallindexed", "--parent-check", "--rootdescend"];
  try {
    return (
      await runCommand([postgresProgram("pg_amcheck"), ...flags, "postgres"], { env }, signal)
    ).trim();
  } catch (error) {
    signal.throwIfAborted();
    return error instanceof Error ? error.message : String(error);
  }
};
