/**
 * The client of a chaos run: outside of all nodes, it appends numbered records one after the other
 * through whichever gate lets it in, and asks both nodes all the time who serves.
 */
import { setTimeout as delay } from "node:timers/promises";
import * as z from "zod";
import type { Acknowledged, LogLine, Sighting } from "./judge.ts";

export interface Tester {
  readonly acknowledged: readonly Acknowledged[];
  readonly sightings: readonly Sighting[];
  stop(): Promise<void>;
}

const ANSWER_TIMEOUT_MS = 4_000;
const PAUSE_MS = 20;

const Answer = z.object({ instance: z.string() });
const Log = z.array(z.object({ n: z.number().nullable(), instance: z.string() }));

/** Null: no answer, which says nothing about whether it was done. */
const ask = async (url: string, body?: unknown): Promise<Sighting | null> => {
  const askedMs = performance.now();
  try {
    const response = await fetch(url, {
      ...(body !== undefined && { method: "POST", body: JSON.stringify(body) }),
      headers: { connection: "close" },
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    if (!response.ok) return null;
    const { instance } = Answer.parse(await response.json());
    return { instance, askedMs, answeredMs: performance.now() };
  } catch {
    return null;
  }
};

export const readLog = async (url: string): Promise<LogLine[]> => {
  const response = await fetch(`${url}/log`, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
  return Log.parse(await response.json());
};

export const startTester = (urls: readonly string[]): Tester => {
  const control = new AbortController();
  const acknowledged: Acknowledged[] = [];
  const sightings: Sighting[] = [];
  const append = async (): Promise<void> => {
    let turn = 0;
    for (let n = 1; !control.signal.aborted; n += 1) {
      const answer = await ask(`${urls[turn % urls.length]}/append`, { n });
      if (answer === null) turn += 1;
      else acknowledged.push({ n, ...answer });
      await delay(PAUSE_MS);
    }
  };
  const look = async (url: string): Promise<void> => {
    while (!control.signal.aborted) {
      const answer = await ask(`${url}/health`);
      if (answer !== null) sightings.push(answer);
      await delay(PAUSE_MS);
    }
  };
  const running = Promise.all([append(), ...urls.map(look)]);
  return {
    acknowledged,
    sightings,
    stop: async () => {
      control.abort();
      await running;
    },
  };
};
