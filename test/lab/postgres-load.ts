/** Two loads on a PostgreSQL that moves: pgbench, and a client that remembers what was acknowledged. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import postgres, { type Sql } from "postgres";
import { waitUntil } from "../../infra/lab/wait-until.ts";

export interface PostgresPlace {
  readonly host: string;
  readonly port: number;
}

const CONNECT_TIMEOUT_S = 60;
const CLIENTS = 4;
const EVERY_MS = 20;
const RETRY_MS = 10;
const FURTHER_TIMEOUT_MS = 120_000;

/** One connection, made when it is first needed, and again after it broke. */
export const connectPostgres = ({ host, port }: PostgresPlace): Sql =>
  postgres({
    ...{ host, port, user: "postgres", database: "postgres", max: 1 },
    connect_timeout: CONNECT_TIMEOUT_S,
    backoff: false,
    onnotice: () => undefined,
  });

/** Runs pgbench for ever: it ends when a move breaks its connections, and is started again. */
export const startPgbench = (
  program: string,
  env: Readonly<Record<string, string>>,
): { stop(): Promise<void> } => {
  let isOver = false;
  let child: ChildProcess | null = null;
  const argv = ["-n", "-c", `${CLIENTS}`, "-T", "86400"];
  const run = async (): Promise<void> => {
    while (!isOver) {
      const started = spawn(program, argv, { env: { ...process.env, ...env }, stdio: "ignore" });
      child = started;
      await once(started, "exit");
    }
  };
  const running = run();
  return {
    stop: async () => {
      isOver = true;
      child?.kill();
      await running;
    },
  };
};

export interface Numbers {
  /** Of all transactions whose commit was acknowledged. */
  acknowledged(): readonly number[];
  /** Waits until so many more are. */
  further(count: number): Promise<void>;
  stop(): Promise<void>;
}

/** Each transaction writes a number that no other one ever had, whether it was acknowledged or not. */
export const startNumbers = (place: PostgresPlace): Numbers => {
  const acknowledged: number[] = [];
  let isOver = false;
  let sql = connectPostgres(place);
  const run = async (): Promise<void> => {
    for (let n = 1; !isOver; n += 1) {
      try {
        await sql`INSERT INTO committed VALUES (${n})`;
        acknowledged.push(n);
        await sleep(EVERY_MS);
      } catch {
        await sql.end({ timeout: 0 });
        sql = connectPostgres(place);
        await sleep(RETRY_MS);
      }
    }
    await sql.end({ timeout: 0 });
  };
  const running = run();
  return {
    acknowledged: () => acknowledged,
    further: async (count) => {
      const wanted = acknowledged.length + count;
      await waitUntil(
        async () => (acknowledged.length >= wanted ? true : undefined),
        { what: `${count} more transactions`, timeoutMs: FURTHER_TIMEOUT_MS },
        AbortSignal.timeout(FURTHER_TIMEOUT_MS),
      );
    },
    stop: async () => {
      isOver = true;
      await running;
    },
  };
};
