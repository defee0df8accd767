/**
 * A client that writes at a steady rate to whichever node answers, and keeps a log of what was
 * acknowledged and when: what it misses is lost, and its longest silence is the gap as clients see it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { waitUntil } from "../../infra/lab/wait-until.ts";

export interface WriteLoad {
  /** The longest time between two answers since the call before. */
  takeLongestSilenceMs(): number;
  /** Waits for the next answer. */
  untilAnswered(signal: AbortSignal): Promise<void>;
  /** Ends the load; resolves with the numbers of all writes that were acknowledged. */
  stop(): Promise<readonly number[]>;
}

/** One write; rejects when it was not acknowledged. */
export type Write = (node: number, n: number, signal: AbortSignal) => Promise<void>;

const EVERY_MS = 50;
/** A refused connection is tried again at the other node this soon. */
const RETRY_MS = 10;
const WRITE_TIMEOUT_MS = 2_000;
const ANSWER_TIMEOUT_MS = 60_000;

export const startWriteLoad = (first: number, write: Write): WriteLoad => {
  const acknowledged: number[] = [];
  const end = new AbortController();
  let node = first;
  let answeredAt = performance.now();
  let longestMs = 0;
  const run = async (): Promise<void> => {
    for (let n = 1; !end.signal.aborted; n += 1) {
      try {
        await write(node, n, AbortSignal.any([end.signal, AbortSignal.timeout(WRITE_TIMEOUT_MS)]));
        acknowledged.push(n);
        longestMs = Math.max(longestMs, performance.now() - answeredAt);
        answeredAt = performance.now();
        await sleep(EVERY_MS);
      } catch {
        node = 1 - node;
        await sleep(RETRY_MS);
      }
    }
  };
  const running = run();
  return {
    takeLongestSilenceMs: () => {
      const taken = longestMs;
      longestMs = 0;
      return taken;
    },
    untilAnswered: async (signal) => {
      const before = acknowledged.length;
      await waitUntil(
        async () => (acknowledged.length > before ? true : undefined),
        { what: "an answer to a write", timeoutMs: ANSWER_TIMEOUT_MS, intervalMs: RETRY_MS },
        signal,
      );
    },
    stop: async () => {
      end.abort();
      await running;
      return acknowledged;
    },
  };
};
