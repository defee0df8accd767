/** Names under which clients reach a container through an edge: a host, and a path below it. */
import { accept, type Outcome, refuse } from "./outcome.ts";
import { parsePortNumber } from "./ports.ts";

export interface LongDomain {
  readonly domain: string;
  readonly port?: string | number | undefined;
}

/** `port` undefined: the container's first published one, or 80. */
export interface DomainEntry {
  readonly host: string;
  readonly path: string;
  readonly port: number | undefined;
}

const EXAMPLE = "write a host name, and a path if only a part of it is meant: example.org/api";
/** RFC 1123 host names; names of other scripts in the form that DNS has for them. */
const HOST =
  /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;
const PATH = /^(?:\/[A-Za-z0-9_~!&'()+,;=:@-][A-Za-z0-9._~!&'()+,;=:@-]*)*$/;
const PATH_LENGTH_MAX = 200;

/** `"example.org/api"`, or `{ domain: example.org/api, port: 3000 }`. */
export const parseDomain = (entry: string | LongDomain): Outcome<DomainEntry> => {
  const { domain, port } = typeof entry === "string" ? { domain: entry } : entry;
  const slash = domain.indexOf("/");
  const host = (slash < 0 ? domain : domain.slice(0, slash)).toLowerCase();
  const path = slash < 0 ? "" : domain.slice(slash).replace(/\/$/, "");
  if (domain.includes("://")) {
    return refuse(`"${domain}" names a scheme`, "leave https:// out: edges answer on both");
  }
  if (host.startsWith("*.")) {
    return refuse(
      `"${domain}" is a wildcard`,
      "list each name: each gets a certificate of its own",
    );
  }
  if (/:\d*$/.test(host)) {
    return refuse(
      `"${domain}" names a port`,
      "write the container's port beside it: { domain: example.org, port: 3000 }",
    );
  }
  if (!HOST.test(host)) return refuse(`"${domain}" has no right host name`, EXAMPLE);
  if (!PATH.test(path) || path.length > PATH_LENGTH_MAX) {
    return refuse(`"${domain}" has a path that can't be matched`, EXAMPLE);
  }
  const number = port === undefined ? undefined : parsePortNumber(port);
  if (number === null) return refuse(`"${port}" is not a port from 1 to 65535`, "port: 3000");
  return accept({ host, path: path === "" ? "/" : path, port: number });
};
