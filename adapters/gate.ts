/**
 * The gate: the only opener of a container's published ports. It forwards TCP from the node's
 * address to the container's, and listens only after it was told to, which the agent does once the
 * record says that this node serves. Whether a gate may open is not decided here.
 */
import { connect, createServer, type Socket } from "node:net";
import { joinSockets, resetPair, type SocketPair } from "./joined-sockets.ts";
import { listenOn } from "./listen-on.ts";

export interface GateOrder {
  /** The same as long as the gate leads to the same container of the same epoch. */
  readonly id: string;
  readonly hostAddress: string;
  readonly hostPort: number;
  readonly target: { readonly address: string; readonly port: number };
  /**
   * Asked before anything goes on to the client; no resets the connection. For rights that end at a
   * time: a process that was stopped for a while must not tell a client what is no longer true.
   */
  readonly maySpeak?: () => boolean;
}

export interface Gate {
  readonly order: GateOrder;
  connectionCount(): number;
  /**
   * Stops listening at once; open connections may end by themselves for so long, then they are
   * reset. Resolves when none is left. Idempotent; the shortest grace counts.
   */
  close(graceMs: number): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 5_000;
const CONNECTIONS_MAX = 10_000;

/** Codes `port-taken`, `port-denied`, `address-unknown` (TerminalError), `listen-failed`. */
export const openGate = async (order: GateOrder): Promise<Gate> => {
  const pairs = new Set<SocketPair>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const pair = join(client, order);
    pairs.add(pair);
    client.once("close", () => pairs.delete(pair));
  });
  server.maxConnections = CONNECTIONS_MAX;
  await listenOn(server, order.hostAddress, order.hostPort);
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  let isClosing = false;
  return {
    order,
    connectionCount: () => pairs.size,
    close: async (graceMs) => {
      if (!isClosing) {
        isClosing = true;
        server.close(() => resolve());
      }
      const cut = setTimeout(() => pairs.forEach(resetPair), graceMs);
      // Connections without a word yet would hold a drain up for nothing.
      if (graceMs === 0) pairs.forEach(resetPair);
      await closed;
      clearTimeout(cut);
    },
  };
};

/** Joins a client to the container; one that can't be reached in time is given up. */
const join = (client: Socket, { target, maySpeak }: GateOrder): SocketPair => {
  const upstream = connect({
    host: target.address,
    port: target.port,
    allowHalfOpen: true,
    noDelay: true,
  });
  const pair = joinSockets(client, upstream, maySpeak);
  const impatience = setTimeout(() => resetPair(pair), CONNECT_TIMEOUT_MS);
  upstream.once("connect", () => clearTimeout(impatience));
  for (const socket of [client, upstream]) {
    socket.once("close", () => clearTimeout(impatience));
  }
  return pair;
};
