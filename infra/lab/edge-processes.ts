/** An edge in an installation: a Caddy of its own, and where clients find it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { findFreePort } from "./free-port.ts";

export interface EdgeAddress {
  /** TCP ports of the project are here too. */
  readonly host: string;
  /** Where it serves names, over HTTPS with a certificate that nobody knows if it has `tls`. */
  readonly port: number;
  readonly tls: boolean;
}

export interface EdgeProcesses {
  readonly address: EdgeAddress;
  readonly caddyArgv: readonly string[];
  readonly environment: Record<string, string>;
}

/** All of 127/8 is this machine: an address for each edge, so that all may open the same ports. */
const edgeHost = (index: number): string => `127.0.7.${index + 1}`;

export const layEdge = async (edge: {
  readonly directory: string;
  readonly name: string;
  readonly tls: "internal" | "off";
  /** Tells this edge's address from those of the installation's others. */
  readonly index: number;
}): Promise<EdgeProcesses> => {
  const { directory, name, tls } = edge;
  const host = edgeHost(edge.index);
  const [httpPort, httpsPort] = [await findFreePort(host), await findFreePort(host)];
  const admin = join(directory, `caddy-${name}.sock`);
  const config = join(directory, `caddy-${name}.json`);
  writeFileSync(config, JSON.stringify({ admin: { listen: `unix/${admin}` } }));
  return {
    address: { host, port: tls === "off" ? httpPort : httpsPort, tls: tls !== "off" },
    caddyArgv: ["caddy", "run", "--config", config],
    environment: {
      BAGAGE_EDGE: name,
      BAGAGE_EDGE_BIND: host,
      BAGAGE_EDGE_HTTP_PORT: `${httpPort}`,
      BAGAGE_EDGE_HTTPS_PORT: `${httpsPort}`,
      BAGAGE_EDGE_TLS: tls,
      BAGAGE_EDGE_ROOT: join(directory, `edge-${name}`),
      BAGAGE_CADDY_ADMIN: `unix:${admin}`,
    },
  };
};
