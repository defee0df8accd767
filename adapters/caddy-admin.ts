/** Caddy's admin API (https://caddyserver.com/docs/api), over TCP or a unix socket. */
import { request } from "node:http";
import { text } from "node:stream/consumers";
import { RetryableError, TerminalError } from "../volume/errors.ts";

export interface CaddyAdmin {
  /**
   * Replaces Caddy's `apps`; its other settings stay the operator's. Open requests are kept. Throws
   * TerminalError `caddy-old` where it does not know how to keep streams, and changes nothing then.
   */
  setApps(apps: unknown, signal: AbortSignal): Promise<void>;
  /** Names of the HTTP servers that Caddy runs now. */
  listServers(signal: AbortSignal): Promise<string[]>;
}

const TIMEOUT_MS = 30_000;
const NO_CONFIG = "invalid traversal path";

/** `address`: `http://127.0.0.1:2019`, or `unix:/run/caddy/admin.sock`. */
export const connectCaddy = (address: string): CaddyAdmin => {
  const call = createCall(address);
  return {
    setApps: async (apps, signal) => {
      let { status, body } = await call("POST", "/config/apps", apps, signal);
      // A Caddy that was never told anything has no place to put them.
      if (status !== 200 && body.includes(NO_CONFIG)) {
        ({ status, body } = await call("POST", "/config/", { apps }, signal));
      }
      if (status === 200) return;
      if (body.includes("stream_close_delay")) {
        throw new TerminalError(`Caddy is older than 2.7: ${body}`, { code: "caddy-old" });
      }
      throw new TerminalError(`Caddy refused the sites: ${body}`, {
        code: "caddy-refused",
        hint: "caddy version (2.6 or newer is known to work), and its log",
      });
    },
    listServers: async (signal) => {
      const { status, body } = await call("GET", "/config/apps/http/servers", undefined, signal);
      const servers: unknown = status === 200 ? JSON.parse(body) : null;
      return typeof servers === "object" && servers !== null ? Object.keys(servers) : [];
    },
  };
};

type Call = (
  method: string,
  path: string,
  content: unknown,
  signal: AbortSignal,
) => Promise<{ readonly status: number; readonly body: string }>;

const createCall =
  (address: string): Call =>
  async (method, path, content, signal) => {
    const isSocket = address.startsWith("unix:");
    const url = new URL(path, isSocket ? "http://127.0.0.1" : address);
    const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<Call>>>();
    const sent = request(url, {
      method,
      ...(isSocket && { socketPath: address.slice("unix:".length) }),
      // Caddy begins its admin endpoint anew with each configuration: a kept connection may be gone.
      agent: false,
      // At a socket Caddy allows no host but the empty one, which Node would replace.
      setHost: false,
      headers: { "content-type": "application/json", host: isSocket ? "" : url.host },
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    sent.once("error", reject).once("response", (response) => {
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
    });
    sent.end(content === undefined ? undefined : JSON.stringify(content));
    return promise.catch((cause: unknown) => {
      signal.throwIfAborted();
      throw new RetryableError(`Caddy does not answer at ${address}`, {
        code: "caddy-unreachable",
        hint: "systemctl start caddy-api, or set BAGAGE_CADDY_ADMIN to where its admin API listens",
        cause,
      });
    });
  };
