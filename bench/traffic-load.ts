/**
 * A process that asks at a steady rate, whatever the answers take, until it is told to stop. Every
 * wait is counted from the moment at which the request was due: a pause is felt by all who would have
 * come in it (no coordinated omission). A process of its own, so that the rest of the benchmark
 * can't delay it. Generators that wait for an answer before they go on (wrk, autocannon) would ask
 * less while clients are held, which is just what is measured.
 */
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";

export const LoadOrder = z.strictObject({
  host: z.string(),
  port: z.int(),
  /** The Host header. */
  name: z.string(),
  ratePerS: z.number().positive(),
  /** Numbers of the records that it writes begin here. */
  firstNumber: z.int(),
});
export type LoadOrder = z.infer<typeof LoadOrder>;

export const Sample = z.strictObject({
  /** When it was due. */
  atMs: z.number(),
  waitMs: z.number(),
  /** Null: no answer. */
  status: z.int().nullable(),
  /** The record that it wrote; null: it only asked. */
  number: z.int().nullable(),
});
export type Sample = z.infer<typeof Sample>;

/** One request in so many writes a record. */
const WRITE_EVERY = 4;
const TIMEOUT_MS = 60_000;
const TICK_MS = 1;

const run = async (order: LoadOrder, signal: AbortSignal): Promise<Sample[]> => {
  const agent = new Agent({ keepAlive: true });
  const samples: Promise<Sample>[] = [];
  const beganMs = Date.now();
  for (let count = 0; !signal.aborted; count += 1) {
    const atMs = beganMs + (count * 1_000) / order.ratePerS;
    while (Date.now() < atMs) await sleep(TICK_MS);
    const number = count % WRITE_EVERY === 0 ? order.firstNumber + count : null;
    const answered = ask(order, number, agent).catch(() => null);
    samples.push(answered.then((status) => ({ atMs, waitMs: Date.now() - atMs, status, number })));
  }
  return Promise.all(samples);
};

const ask = (
  { host, port, name }: LoadOrder,
  number: number | null,
  agent: Agent,
): Promise<number | null> => {
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  const sent = request({
    ...{ host, port, agent, path: number === null ? "/health" : "/append" },
    method: number === null ? "GET" : "POST",
    headers: { host: name, "content-type": "application/json" },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  sent.once("error", reject).once("response", (response) => {
    response.once("error", reject).once("end", () => resolve(response.statusCode ?? null));
    response.resume();
  });
  sent.end(number === null ? undefined : JSON.stringify({ n: number }));
  return promise;
};

if (process.send !== undefined) {
  const stop = new AbortController();
  process.once("message", (order) => {
    process.once("message", () => stop.abort());
    void run(LoadOrder.parse(order), stop.signal).then((samples) => {
      process.send?.(samples, () => process.exit(0));
    });
  });
}
