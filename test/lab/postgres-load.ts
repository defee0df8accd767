/** Two loads on a PostgreSQL that moves: pgbench, and a client that remembers what was acknowledged. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { waitUntil } from "../../infra/lab/wait-until.ts";
import { connectPostgres, type PostgresPlace } from "./postgres-connection.ts";

const CLIENTS = 4;
const EVERY_MS = 20;
const RETRY_MS = 10;
const FURTHER_TIMEOUT_MS = 120_000;

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
  const connection = connectPostgres(place);
  const run = async (): Promise<void> => {
    for (let n = 1; !isOver; n += 1) {
      try {
        await connection.query("INSERT INTO committed VALUES ($1)", [n]);
        acknowledged.push(n);
        await sleep(EVERY_MS);
      } catch {
        await connection.end();
        await sleep(RETRY_MS);
      }
    }
    await connection.end();
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
