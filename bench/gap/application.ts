/** What is moved: an application with rows, of any size, that can be written to at a steady rate. */
import type { Lab } from "../../infra/lab/connect-lab.ts";
import type { ContainerSpec } from "../../workflows/container-spec.ts";

export interface Application {
  readonly name: string;
  readonly about: string;
  readonly spec: Pick<ContainerSpec, "image" | "command" | "healthcheck">;
  /** Where it listens in its container. */
  readonly port: number;
  /** A command in the container that writes to its files what it holds in memory: `before_copy`. */
  readonly flush?: readonly string[];
  /** A command in the container that changes 200 rows at random. */
  readonly change: readonly string[];
  /** Puts its image on the lab's engines. */
  load(lab: Lab, signal: AbortSignal): Promise<void>;
  /** Its clients; `places` are where each node opens its port. */
  connect(places: readonly Place[]): ApplicationClients;
}

export interface Place {
  readonly host: string;
  readonly port: number;
}

export interface ApplicationClients {
  /** Grows the rows to so many bytes in all. */
  fill(node: number, bytes: number): Promise<void>;
  /** One transaction that changes a few rows and notes the number; rejects when it isn't acknowledged. */
  write(node: number, n: number, signal: AbortSignal): Promise<void>;
  /** Every number that was ever committed. */
  noted(node: number): Promise<readonly number[]>;
  close(): Promise<void>;
}

export const ROWS_A_WRITE = 4;
export const ROWS_CHANGED_FOR_PEERS = 200;

const PATIENCE = { intervalMs: 1_000, timeoutMs: 5_000, retries: 60, startPeriodMs: 0 };

export const healthcheck = (...test: [string, ...string[]]): ContainerSpec["healthcheck"] => ({
  test,
  ...PATIENCE,
});
