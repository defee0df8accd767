/**
 * The gate: the only opener of a container's published ports. It forwards TCP from the node's
 * address to the container's, and listens only after it was told to, which the agent does once the
 * record says that this node serves. Whether a gate may open is not decided here.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import { RetryableError, TerminalError } from "../volume/errors.ts";

export interface GateOrder {
  /** The same as long as the gate leads to the same container of the same epoch. */
  readonly id: string;
  readonly hostAddress: string;
  readonly hostPort: number;
  readonly target: { readonly address: string; readonly port: number };
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
/** Finds peers that vanished without a word. */
const KEEP_ALIVE_MS = 60_000;
/** One side has said its last word; a peer that then stays silent is gone or broken. */
const HALF_OPEN_IDLE_MS = 300_000;
const CONNECTIONS_MAX = 10_000;

interface Pair {
  readonly client: Socket;
  readonly upstream: Socket;
}

/** Codes `port-taken`, `port-denied`, `address-unknown` (TerminalError), `gate-failed`. */
export const openGate = async (order: GateOrder): Promise<Gate> => {
  const pairs = new Set<Pair>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const pair = join(client, order.target);
    pairs.add(pair);
    client.once("close", () => pairs.delete(pair));
  });
  server.maxConnections = CONNECTIONS_MAX;
  await listen(server, order);
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
      const cut = setTimeout(() => pairs.forEach(reset), graceMs);
      // Connections without a word yet would hold a drain up for nothing.
      if (graceMs === 0) pairs.forEach(reset);
      await closed;
      clearTimeout(cut);
    },
  };
};

const listen = async (server: Server, { hostAddress, hostPort }: GateOrder): Promise<void> => {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  // `exclusive`: in a cluster no other worker may share the port.
  server.listen({ host: hostAddress, port: hostPort, exclusive: true }, resolve);
  try {
    await promise;
  } catch (error) {
    throw listenError(`${hostAddress}:${hostPort}`, hostPort, error as NodeJS.ErrnoException);
  }
  server.off("error", reject);
  // Out of descriptors: that connection is lost, the gate stays.
  server.on("error", () => {});
};

const listenError = (where: string, port: number, error: NodeJS.ErrnoException): Error => {
  switch (error.code) {
    case "EADDRINUSE":
      return new TerminalError(`port ${where} is taken by another program`, {
        code: "port-taken",
        hint: `ss -ltnp 'sport = :${port}' tells by which; change "ports" or stop it`,
        cause: error,
      });
    case "EACCES":
      return new TerminalError(`no permission to listen on ${where}`, {
        code: "port-denied",
        hint: "give the agent CAP_NET_BIND_SERVICE, or publish a port above 1023",
        cause: error,
      });
    case "EADDRNOTAVAIL":
      return new TerminalError(`${where} is no address of this node`, {
        code: "address-unknown",
        hint: "check the address that the node publishes ports on",
        cause: error,
      });
    default:
      return new RetryableError(`can't listen on ${where}: ${error.message}`, {
        code: "gate-failed",
        cause: error,
      });
  }
};

/** Joins a client to the container, each direction by itself, at the pace of its slower end. */
const join = (client: Socket, target: GateOrder["target"]): Pair => {
  const upstream = connect({
    host: target.address,
    port: target.port,
    allowHalfOpen: true,
    noDelay: true,
  });
  const pair = { client, upstream };
  const impatience = setTimeout(() => reset(pair), CONNECT_TIMEOUT_MS);
  upstream.once("connect", () => clearTimeout(impatience));
  for (const socket of [client, upstream]) {
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    // A reset goes through to the other side as a reset, so that nobody takes it for a good end.
    socket.on("error", () => reset(pair));
    socket.once("end", () => {
      for (const one of [client, upstream]) one.setTimeout(HALF_OPEN_IDLE_MS, () => reset(pair));
    });
    socket.once("close", () => {
      clearTimeout(impatience);
      if (!client.destroyed && upstream.destroyed && !upstream.readableEnded) reset(pair);
    });
  }
  client.pipe(upstream);
  upstream.pipe(client);
  return pair;
};

const reset = ({ client, upstream }: Pair): void => {
  for (const socket of [client, upstream]) {
    if (socket.connecting) socket.destroy();
    else socket.resetAndDestroy();
  }
};
