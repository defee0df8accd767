/**
 * Waiting for a condition of the outside world: asked again and again until it holds or its time is
 * up. The lab and its tests wait in this way only; nobody guesses how long something takes.
 */
import { setTimeout as delay } from "node:timers/promises";
import { RetryableError } from "../../volume/errors.ts";

export interface WaitOptions {
  /** What is awaited, as the error names it: "the gateway answers". */
  readonly what: string;
  readonly timeoutMs: number;
  /** Between two questions. */
  readonly intervalMs?: number;
}

const INTERVAL_MS = 100;

/**
 * Resolves with the probe's first answer that is not undefined. A probe that throws has not
 * answered; its last error becomes the cause.
 * @throws RetryableError `wait_timed_out` when the time is up.
 */
export const waitUntil = async <T>(
  probe: () => Promise<T | undefined>,
  { what, timeoutMs, intervalMs = INTERVAL_MS }: WaitOptions,
  signal: AbortSignal,
): Promise<T> => {
  const deadlineMs = performance.now() + timeoutMs;
  let cause: unknown;
  while (performance.now() < deadlineMs) {
    signal.throwIfAborted();
    try {
      const answer = await probe();
      if (answer !== undefined) return answer;
    } catch (error) {
      cause = error;
    }
    await delay(intervalMs, undefined, { signal });
  }
  throw new RetryableError(`Waited ${timeoutMs} ms in vain: ${what}`, {
    code: "wait_timed_out",
    cause,
  });
};
