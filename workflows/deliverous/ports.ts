/** Published ports, in Compose's short and long forms. TCP only: a gate holds connections. */
import type { PortMapping } from "../container-spec.ts";
import { accept, type Outcome, refuse } from "./outcome.ts";

export interface LongPort {
  readonly target: string | number;
  readonly published?: string | number | undefined;
  readonly protocol?: string | undefined;
}

const EXAMPLE =
  'write "8080:80" (host port, then container port), or "80" for the same on both sides';

/** `"8080:80"`, `"80"`, `80`, `"80/tcp"` or the long form → one mapping. */
export const parsePort = (port: string | number | LongPort): Outcome<PortMapping> => {
  if (typeof port === "object") {
    return mapPorts(port.published ?? port.target, port.target, port.protocol ?? "tcp");
  }
  const [ports = "", protocol = "tcp", ...rest] = `${port}`.split("/");
  const parts = ports.split(":");
  if (rest.length > 0) return refuse(`"${port}" is not a port`, EXAMPLE);
  if (ports.startsWith("[") || parts.length > 2) {
    return refuse(
      `"${port}" names a host address`,
      `leave the address out, the node's own configuration says where it listens: ${EXAMPLE}`,
    );
  }
  const [host = "", container = host] = parts;
  return mapPorts(host, container, protocol);
};

const mapPorts = (
  host: string | number,
  container: string | number,
  protocol: string,
): Outcome<PortMapping> => {
  if (protocol !== "tcp") {
    return refuse(
      `protocol "${protocol}" is not supported`,
      "publish TCP ports only: connections are held over a move, which UDP doesn't have",
    );
  }
  const range = [host, container].find((port) => /^\d+-\d+$/.test(`${port}`));
  if (range !== undefined) return refuse(`"${range}" is a range of ports`, "list each port");
  const hostPort = parsePortNumber(host);
  const containerPort = parsePortNumber(container);
  if (hostPort === null || containerPort === null) {
    return refuse(
      `"${hostPort === null ? host : container}" is not a port from 1 to 65535`,
      EXAMPLE,
    );
  }
  return accept({ hostPort, containerPort, protocol: "tcp" });
};

/** Null for what is not a port. */
export const parsePortNumber = (port: string | number): number | null => {
  const number = /^[1-9]\d{0,4}$/.test(`${port}`) ? Number(port) : 0;
  return number >= 1 && number <= 65_535 ? number : null;
};
