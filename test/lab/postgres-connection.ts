/** A client's one connection to a PostgreSQL that moves: made when it is needed, and again after it broke. */
import { setTimeout as sleep } from "node:timers/promises";
import { Client, DatabaseError } from "pg";
import * as z from "zod";

export interface PostgresPlace {
  readonly host: string;
  readonly port: number;
}

export interface PostgresConnection {
  /** Rows of the last statement; several, without values, are one transaction. */
  query(text: string, values?: readonly unknown[]): Promise<readonly unknown[]>;
  /** At once: what is under way is given up. */
  end(): Promise<void>;
}

/** Of rows with one column `n`: PostgreSQL's bigint comes as text. */
export const Numbers = z.array(z.object({ n: z.coerce.number() }).transform(({ n }) => n));

const CONNECT_TIMEOUT_MS = 60_000;
/** For a server that is gone without a word. */
const END_TIMEOUT_MS = 1_000;

export const connectPostgres = (place: PostgresPlace): PostgresConnection => {
  let current: Promise<Client> | null = null;
  const drop = async (): Promise<void> => {
    const client = current;
    current = null;
    const ended = client?.then((open) => open.end()).catch(() => undefined);
    await Promise.race([ended, sleep(END_TIMEOUT_MS)]);
  };
  const connect = async (): Promise<Client> => {
    const client = new Client({
      ...{ ...place, user: "postgres", database: "postgres" },
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    });
    // Of a connection that breaks while nobody asks; whoever asks next makes another.
    client.on("error", () => void drop());
    await client.connect();
    return client;
  };
  return {
    query: async (text, values) => {
      current ??= connect();
      try {
        const client = await current;
        const results = [await client.query<object>(text, values && [...values])].flat();
        return results.at(-1)?.rows ?? [];
      } catch (error) {
        if (!(error instanceof DatabaseError)) await drop();
        throw error;
      }
    },
    end: drop,
  };
};
