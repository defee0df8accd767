/** Two sockets that carry each other's bytes: what gates, doors and edges do with a connection. */
import type { Socket } from "node:net";

export interface SocketPair {
  readonly client: Socket;
  readonly upstream: Socket;
}

/** Finds peers that vanished without a word. */
const KEEP_ALIVE_MS = 60_000;
/** One side has said its last word; a peer that then stays silent is gone or broken. */
const HALF_OPEN_IDLE_MS = 300_000;

/**
 * Each direction runs by itself, at the pace of its slower end, until each side has said its last.
 * Both sockets must allow half-open connections; the upstream one may still be connecting. Where the
 * right to speak may end by itself, it is asked before each piece that goes to the client.
 */
export const joinSockets = (
  client: Socket,
  upstream: Socket,
  maySpeak?: () => boolean,
): SocketPair => {
  const pair = { client, upstream };
  for (const socket of [client, upstream]) {
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    // A reset goes through to the other side as a reset, so that nobody takes it for a good end.
    socket.on("error", () => resetPair(pair));
    socket.once("end", () => {
      for (const one of [client, upstream]) {
        one.setTimeout(HALF_OPEN_IDLE_MS, () => resetPair(pair));
      }
    });
    socket.once("close", () => {
      if (!client.destroyed && upstream.destroyed && !upstream.readableEnded) resetPair(pair);
    });
  }
  if (maySpeak !== undefined) upstream.on("data", () => maySpeak() || resetPair(pair));
  client.pipe(upstream);
  upstream.pipe(client);
  return pair;
};

export const resetPair = ({ client, upstream }: SocketPair): void => {
  for (const socket of [client, upstream]) {
    if (socket.connecting) socket.destroy();
    else socket.resetAndDestroy();
  }
};
