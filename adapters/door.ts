/**
 * The door: one port of a node, through which edges reach its containers. It knows who is let in
 * (the agent says so, when the gates open and close), and who is still inside: a drain waits for the
 * requests that were let in before it, because their clients would see them fail.
 */
import { connect, createServer, type Socket } from "node:net";
import { DOOR_OPEN, type DoorPreface, decodePreface } from "./door-preface.ts";
import { createDoorVisits } from "./door-visits.ts";
import { joinSockets, type SocketPair } from "./joined-sockets.ts";
import { listenOn } from "./listen-on.ts";

export interface DoorTarget {
  readonly address: string;
  readonly ports: readonly number[];
  /** As of a gate: asked before anything goes on to a client. */
  readonly maySpeak?: () => boolean;
}

export interface Door {
  readonly port: number;
  /** `name` is what edges ask for: see doorName. */
  admit(name: string, target: DoorTarget): void;
  /** From its return on nobody new is let in. Whoever is inside is cut off after `cutAfterMs`. */
  refuse(name: string, cutAfterMs: number): void;
  /** Resolves when no request that was let in waits for its answer, at the latest after the time. */
  drained(name: string, withinMs: number): Promise<void>;
  close(graceMs: number): Promise<void>;
}

export const doorName = ({ project, container }: Pick<DoorPreface, "project" | "container">) =>
  `${project}/${container}`;

const PREFACE_TIMEOUT_MS = 5_000;
const CONNECT_TIMEOUT_MS = 5_000;
const CONNECTIONS_MAX = 20_000;

/** Codes as of listenOn. Port 0: any free one. */
export const openDoor = async (host: string, port: number): Promise<Door> => {
  const admitted = new Map<string, DoorTarget>();
  const visits = createDoorVisits();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    client.on("error", () => client.destroy());
    readPreface(client, (preface) => {
      const name = doorName(preface);
      const target = admitted.get(name);
      if (target?.ports.includes(preface.port) !== true) return client.destroy();
      if (preface.kind === "probe") return client.end(DOOR_OPEN);
      // It may be closed while the container is being reached.
      const isOpen = () => admitted.get(name) === target;
      reach(client, { ...target, port: preface.port }, isOpen, (pair) =>
        visits.enter(name, pair, preface.kind === "request"),
      );
    });
  });
  server.maxConnections = CONNECTIONS_MAX;
  await listenOn(server, host, port);
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : port,
    admit: (name, target) => void admitted.set(name, target),
    refuse: (name, cutAfterMs) => {
      admitted.delete(name);
      visits.cutLater(name, cutAfterMs);
    },
    drained: visits.drained,
    close: async (graceMs) => {
      admitted.clear();
      const { promise, resolve } = Promise.withResolvers<void>();
      server.close(() => resolve());
      visits.cutLater(null, graceMs);
      await promise;
    },
  };
};

/** Calls back with a paused client that has said whom it wants; others are cut off. */
const readPreface = (client: Socket, then: (preface: DoorPreface) => void): void => {
  let bytes = Buffer.alloc(0);
  const hangUp = () => client.destroy();
  const impatience = setTimeout(hangUp, PREFACE_TIMEOUT_MS);
  const onData = (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    const preface = decodePreface(bytes);
    if (preface === undefined) return;
    clearTimeout(impatience);
    client.off("data", onData).off("end", hangUp).pause();
    if (preface === null) hangUp();
    else then(preface);
  };
  client.on("data", onData).once("end", hangUp);
  client.once("close", () => clearTimeout(impatience));
};

/** Connects to the container, and only then tells the edge that its client is in. */
const reach = (
  client: Socket,
  { address, port, maySpeak }: Omit<DoorTarget, "ports"> & { readonly port: number },
  isOpen: () => boolean,
  enter: (pair: SocketPair) => void,
): void => {
  const upstream = connect({ host: address, port, allowHalfOpen: true, noDelay: true });
  const giveUp = () => {
    client.destroy();
    upstream.destroy();
  };
  const impatience = setTimeout(giveUp, CONNECT_TIMEOUT_MS);
  client.once("close", giveUp);
  upstream.once("close", () => clearTimeout(impatience));
  upstream.once("error", giveUp).once("connect", () => {
    clearTimeout(impatience);
    client.off("close", giveUp);
    upstream.off("error", giveUp);
    if (client.destroyed || !isOpen()) return giveUp();
    client.write(DOOR_OPEN);
    enter(joinSockets(client, upstream, maySpeak));
  });
};
