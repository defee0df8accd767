/** What an edge has Caddy serve: https://caddyserver.com/docs/json/apps/http/. Pure. */
import { createHash } from "node:crypto";

export interface CaddySite {
  readonly host: string;
  /** `/` or a path that is matched with all below it. */
  readonly path: string;
  /** The unix socket that requests go to. */
  readonly socket: string;
}

export interface CaddySettings {
  readonly httpPort: number;
  readonly httpsPort: number;
  /** `auto`: public certificates where they can be had; `internal`: Caddy's own; `off`: no HTTPS. */
  readonly tls: "auto" | "internal" | "off";
}

/** Open WebSockets stay with the configuration that they came in by; in the end they are closed. */
const STREAMS_KEPT = "24h";

/**
 * Caddy's `apps`, with a mark that tells this very configuration from any other. `keepsStreams`: Caddy is 2.7
 * or later, and lets WebSockets live on when it is given another configuration.
 */
export const renderCaddyApps = (
  sites: readonly CaddySite[],
  { keepsStreams, ...settings }: CaddySettings & { readonly keepsStreams: boolean },
): { readonly mark: string; readonly apps: unknown } => {
  const { httpPort, httpsPort, tls } = settings;
  const routes = [...sites].sort(compareSites).map((site) => renderRoute(site, keepsStreams));
  const listen = [tls === "off" ? `:${httpPort}` : `:${httpsPort}`];
  const mark = createHash("sha256")
    .update(JSON.stringify([routes, settings]))
    .digest("hex");
  const server = {
    listen,
    // Without it Caddy answers 200 with nothing to names that nobody has.
    routes: [...routes, { handle: [{ handler: "static_response", status_code: 404 }] }],
    ...(tls === "off" && { automatic_https: { disable: true } }),
  };
  const http = {
    http_port: httpPort,
    https_port: httpsPort,
    servers: { [`bagage-${mark}`]: server },
  };
  const internal = { automation: { policies: [{ issuers: [{ module: "internal" }] }] } };
  // Caddy's own authority is for tests and inner networks: nothing is put into this machine's trust.
  const pki = { certificate_authorities: { local: { install_trust: false } } };
  return { mark, apps: { http, ...(tls === "internal" && { tls: internal }), pki } };
};

/** The most exact first: Caddy takes the first route that matches. */
const compareSites = (a: CaddySite, b: CaddySite): number =>
  b.path.length - a.path.length || compareText(a.host, b.host) || compareText(a.path, b.path);

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const renderRoute = ({ host, path, socket }: CaddySite, keepsStreams: boolean) => ({
  match: [{ host: [host], ...(path !== "/" && { path: [path, `${path}/*`] }) }],
  handle: [
    {
      handler: "reverse_proxy",
      upstreams: [{ dial: `unix/${socket}` }],
      // A connection for each request: so the end of a connection is the end of an answer, and no
      // request is sent on one that is being closed.
      transport: { protocol: "http", keep_alive: { enabled: false } },
      ...(keepsStreams && { stream_close_delay: STREAMS_KEPT }),
    },
  ],
  terminal: true,
});
