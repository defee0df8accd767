/** A table of PostgreSQL, in as many partitions as it was filled in steps. */
import { loadPostgresImage } from "../../infra/lab/postgres-image.ts";
import {
  connectPostgres,
  Numbers,
  type PostgresConnection,
} from "../../test/lab/postgres-connection.ts";
import {
  type Application,
  healthcheck,
  type Place,
  ROWS_A_WRITE,
  ROWS_CHANGED_FOR_PEERS,
} from "./application.ts";

const PORT = 5432;
const ROW_BYTES = 1_000;
/** What a row takes of a page of its table. */
const ROW_BYTES_STORED = 1_170;
/** With this a table that is filled in the transaction that made it is written once, not twice. */
const SETTINGS = ["wal_level=minimal", "max_wal_senders=0", "max_wal_size=64MB"];

const PSQL = ["psql", "-q", "-U", "postgres", "-v", "ON_ERROR_STOP=1", "-c"];

const changeRows = (ids: string): string =>
  `UPDATE rows SET body = gen_random_bytes(${ROW_BYTES}) WHERE id IN (${ids})`;

export const postgresApplication: Application = {
  name: "PostgreSQL",
  about: "PostgreSQL with rows of 1 KB",
  spec: {
    image: "lab-postgres",
    command: ["/bin/sh", "/run.sh", ...SETTINGS.flatMap((setting) => ["-c", setting])],
    healthcheck: healthcheck("CMD", "pg_isready", "-q", "-U", "postgres", "-h", "127.0.0.1"),
  },
  port: PORT,
  flush: [...PSQL, "CHECKPOINT"],
  change: [
    ...PSQL,
    changeRows(
      `SELECT (random() * (SELECT max(id) FROM rows))::bigint FROM generate_series(1, ${ROWS_CHANGED_FOR_PEERS})`,
    ),
  ],
  load: loadPostgresImage,
  connect: (places) => {
    const sessions = new Map<number, Session>();
    const sessionOf = (node: number): Session => {
      const session = sessions.get(node) ?? openSession(places[node]);
      sessions.set(node, session);
      return session;
    };
    /** What failed once is not used again: its connection may be half dead. */
    const orForget = async <T>(
      node: number,
      work: (session: Session) => Promise<T>,
    ): Promise<T> => {
      const session = sessionOf(node);
      try {
        return await work(session);
      } catch (error) {
        if (sessions.get(node) === session) sessions.delete(node);
        void session.connection.end();
        throw error;
      }
    };
    return {
      fill: async (node, bytes) => {
        await orForget(node, (session) => fill(session, bytes));
        for (const session of sessions.values()) session.rowCount = null;
      },
      write: (node, n, signal) =>
        orForget(node, (session) => Promise.race([change(session, n), whenAborted(signal)])),
      noted: async (node) => {
        const rows = await sessionOf(node).connection.query("SELECT n FROM noted");
        return Numbers.parse(rows);
      },
      close: async () => {
        for (const { connection } of sessions.values()) await connection.end();
      },
    };
  },
};

interface Session {
  readonly connection: PostgresConnection;
  rowCount: number | null;
}

const openSession = (place: Place | undefined): Session => {
  if (place === undefined) throw new Error("there is no such node");
  return { connection: connectPostgres(place), rowCount: null };
};

const fill = async ({ connection }: Session, bytes: number): Promise<void> => {
  await connection.query(`CREATE EXTENSION IF NOT EXISTS pgcrypto;
    CREATE TABLE IF NOT EXISTS noted (n bigint PRIMARY KEY);
    CREATE TABLE IF NOT EXISTS rows (id bigint PRIMARY KEY, body bytea) PARTITION BY RANGE (id);
    ALTER TABLE rows ALTER body SET STORAGE PLAIN`);
  const from = (await countRows(connection)) + 1;
  const to = Math.ceil(bytes / ROW_BYTES_STORED);
  if (to < from) return;
  await connection.query(`
    CREATE TABLE rows_${from} PARTITION OF rows FOR VALUES FROM (${from}) TO (${to + 1});
    INSERT INTO rows_${from}
    SELECT id, gen_random_bytes(${ROW_BYTES}) FROM generate_series(${from}, ${to}) AS id`);
};

const countRows = async (connection: PostgresConnection): Promise<number> => {
  const rows = await connection.query("SELECT coalesce(max(id), 0) AS n FROM rows");
  return Numbers.parse(rows)[0] ?? 0;
};

const change = async (session: Session, n: number): Promise<void> => {
  const { connection } = session;
  session.rowCount ??= await countRows(connection);
  const count = session.rowCount;
  const ids = Array.from({ length: ROWS_A_WRITE }, () => 1 + Math.floor(Math.random() * count));
  await connection.query(`${changeRows(ids.join(","))}; INSERT INTO noted VALUES (${n})`);
};

const whenAborted = (signal: AbortSignal): Promise<never> => {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  return promise;
};
