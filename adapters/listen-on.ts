/** Makes a TCP server listen, or says in the operator's words why it can't. */
import type { Server } from "node:net";
import { RetryableError, TerminalError } from "../volume/errors.ts";

/** As listenOn, at a path of the file system where nothing is yet. */
export const listenOnSocket = async (server: Server, path: string): Promise<void> => {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen({ path }, resolve);
  try {
    await promise;
  } catch (cause) {
    throw new TerminalError(`can't listen at ${path}`, {
      code: "socket-failed",
      hint: "the directory must exist and be writable",
      cause,
    });
  }
  server.off("error", reject);
  server.on("error", () => {});
};

/** Codes `port-taken`, `port-denied`, `address-unknown` (TerminalError), `listen-failed`. */
export const listenOn = async (server: Server, host: string, port: number): Promise<void> => {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  // `exclusive`: in a cluster no other worker may share the port.
  server.listen({ host, port, exclusive: true }, resolve);
  try {
    await promise;
  } catch (error) {
    throw listenError(`${host}:${port}`, port, error as NodeJS.ErrnoException);
  }
  server.off("error", reject);
  // Out of descriptors: that connection is lost, the server stays.
  server.on("error", () => {});
};

const listenError = (where: string, port: number, error: NodeJS.ErrnoException): Error => {
  switch (error.code) {
    case "EADDRINUSE":
      return new TerminalError(`port ${where} is taken by another program`, {
        code: "port-taken",
        hint: `ss -ltnp 'sport = :${port}' tells by which; stop it, or choose another port`,
        cause: error,
      });
    case "EACCES":
      return new TerminalError(`no permission to listen on ${where}`, {
        code: "port-denied",
        hint: "give the process CAP_NET_BIND_SERVICE, or choose a port above 1023",
        cause: error,
      });
    case "EADDRNOTAVAIL":
      return new TerminalError(`${where} is no address of this node`, {
        code: "address-unknown",
        hint: "check the address in the settings",
        cause: error,
      });
    default:
      return new RetryableError(`can't listen on ${where}: ${error.message}`, {
        code: "listen-failed",
        cause: error,
      });
  }
};
