/** Who is inside a node's door, container by container, and whose answer is still awaited. */
import { resetPair, type SocketPair } from "./joined-sockets.ts";

export interface DoorVisits {
  /** `isAwaited`: the client has asked something, and the connection ends with the answer. */
  enter(name: string, pair: SocketPair, isAwaited: boolean): void;
  /** Resets, after the time (0: before it returns), whoever of the container's (null: of all) visitors is still there. */
  cutLater(name: string | null, afterMs: number): void;
  /** Resolves when no answer is awaited any more, at the latest after the time. */
  drained(name: string, withinMs: number): Promise<void>;
}

interface Visit {
  readonly name: string;
  readonly pair: SocketPair;
  isAwaited: boolean;
}

export const createDoorVisits = (): DoorVisits => {
  const visits = new Set<Visit>();
  const watchers = new Set<() => void>();
  const notify = () => {
    for (const look of watchers) look();
  };
  return {
    enter: (name, pair, isAwaited) => {
      const visit: Visit = { name, pair, isAwaited };
      visits.add(visit);
      pair.client.once("close", () => {
        visits.delete(visit);
        notify();
      });
      pair.upstream.once("data", (first: Buffer) => {
        if (!isEndless(first)) return;
        visit.isAwaited = false;
        notify();
      });
    },
    cutLater: (name, afterMs) => {
      const staying = [...visits].filter((visit) => name === null || visit.name === name);
      if (staying.length === 0) return;
      const cut = () => {
        for (const { pair } of staying) resetPair(pair);
      };
      if (afterMs === 0) cut();
      else setTimeout(cut, afterMs).unref();
    },
    drained: async (name, withinMs) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const look = () => {
        const isAwaited = [...visits].some((visit) => visit.name === name && visit.isAwaited);
        if (!isAwaited) resolve();
      };
      const impatience = setTimeout(resolve, withinMs);
      watchers.add(look);
      look();
      await promise;
      watchers.delete(look);
      clearTimeout(impatience);
    },
  };
};

const HEAD_BYTES_MAX = 8_192;

/** A WebSocket, or a stream of events: it never ends by itself, and its client comes back. */
const isEndless = (first: Buffer): boolean => {
  const head = first.toString("latin1", 0, HEAD_BYTES_MAX).split("\r\n\r\n")[0] ?? "";
  return /^HTTP\/1\.[01] 101 /.test(head) || /\r\ncontent-type: *text\/event-stream/i.test(head);
};
