/** The edge's own ports and sockets: one for each way in, opened and closed as the ways come and go. */
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { listenOn, listenOnSocket } from "../../adapters/listen-on.ts";
import type { EdgeRoute } from "../../workflows/edge/routes.ts";
import { type HeldRoute, holdClient, refuse } from "./hold-client.ts";

export interface ListenersOptions {
  /** Holds the sockets for the proxy. */
  readonly directory: string;
  /** Where TCP ports are opened; null: nowhere. */
  readonly bind: string | null;
  readonly hold: (route: EdgeRoute) => HeldRoute;
  /** A port can't be opened: the others are. */
  readonly onError: (error: unknown, route: EdgeRoute) => void;
}

export interface Listeners {
  /** Opens what is missing. Those no longer named stay open until `closeOthers`. */
  open(routes: readonly EdgeRoute[]): Promise<void>;
  /** Clients that are in stay in. */
  closeOthers(routes: readonly EdgeRoute[]): void;
  socketOf(route: EdgeRoute): string;
}

/** Held and served at once, on the whole edge; more are refused at once. */
const CLIENTS_MAX = 20_000;

interface Listener {
  readonly server: Server;
  route: HeldRoute;
}

export const createListeners = (options: ListenersOptions): Listeners => {
  mkdirSync(options.directory, { recursive: true, mode: 0o755 });
  const listeners = new Map<string, Listener>();
  let clientCount = 0;
  const socketOf = (route: EdgeRoute) => join(options.directory, `${digest(keyOf(route))}.sock`);
  const start = (route: EdgeRoute): Listener => {
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true });
    const listener: Listener = { server, route: options.hold(route) };
    server.on("connection", (client) => {
      clientCount += 1;
      client.once("close", () => {
        clientCount -= 1;
      });
      client.on("error", () => client.destroy());
      if (clientCount > CLIENTS_MAX) refuse(client, listener.route.preface.kind);
      else void holdClient(client, listener.route);
    });
    return listener;
  };
  const listen = async (route: EdgeRoute, { server }: Listener): Promise<void> => {
    if (route.way.kind === "tcp") {
      return listenOn(server, options.bind ?? "", route.way.hostPort);
    }
    const path = socketOf(route);
    rmSync(path, { force: true });
    await listenOnSocket(server, path);
    // The proxy may run as another user.
    chmodSync(path, 0o666);
  };
  return {
    socketOf,
    open: async (routes) => {
      for (const route of routes) {
        if (route.way.kind === "tcp" && options.bind === null) continue;
        const known = listeners.get(keyOf(route));
        if (known !== undefined) {
          known.route = options.hold(route);
          continue;
        }
        const listener = start(route);
        try {
          await listen(route, listener);
          listeners.set(keyOf(route), listener);
        } catch (error) {
          options.onError(error, route);
        }
      }
    },
    closeOthers: (routes) => {
      const wanted = new Set(routes.map(keyOf));
      for (const [key, { server }] of listeners) {
        if (wanted.has(key)) continue;
        listeners.delete(key);
        server.close();
      }
    },
  };
};

/** A TCP port is one listener, whoever has it; a socket belongs to one port of one container. */
const keyOf = ({ project, container, containerPort, way }: EdgeRoute): string =>
  way.kind === "tcp" ? `tcp ${way.hostPort}` : `http ${project}/${container}/${containerPort}`;

/** A path of a unix socket has at most 107 bytes. */
const digest = (key: string): string => createHash("sha256").update(key).digest("hex").slice(0, 24);
