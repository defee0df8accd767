/**
 * A client that writes at a steady rate to whichever node answers, and keeps a log of what was
 * acknowledged and when: what it misses is lost, and its longest silence is the gap as clients see it.
 */
import { setTimeout as sleep } from "node:timers/promises";

export interface WriteLoad {
  /** The longest time between two answers since the call before. */
  takeLongestSilenceMs(): number;
  /** Ends the load; resolves with the numbers of all writes that were acknowledged. */
  stop(): Promise<readonly number[]>;
}

/** One write; rejects when it was not acknowledged. */
export type Write = (node: number, n: number, signal: AbortSignal) => Promise<void>;

const EVERY_MS = 50;
/** A refused connection is tried again at the other node this soon. */
const RETRY_MS = 10;
const WRITE_TIMEOUT_MS = 2_000;

export const startWriteLoad = (write: Write): WriteLoad => {
  const acknowledged: number[] = [];
  const end = new AbortController();
  let node = 0;
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
    stop: async () => {
      end.abort();
      await running;
      return acknowledged;
    },
  };
};
