/**
 * Which repository URLs git may be given. The URL comes from the project's configuration, but git
 * knows URLs that run programs (`ext::`), options that look like URLs, and a control plane reaches
 * places that a project's owner must not. Pure: addresses are judged here, names resolved elsewhere.
 */
import { BlockList, isIP } from "node:net";
import { TerminalError } from "../volume/errors.ts";

export interface RepositoryPolicy {
  /** `file://` and absolute paths on this machine. */
  readonly allowLocalRepositories: boolean;
  /** Private and loopback addresses, and unencrypted `http`. */
  readonly allowPrivateNetworks: boolean;
}

export type RepositoryAddress =
  | { readonly protocol: "file"; readonly url: string; readonly path: string }
  | {
      readonly protocol: "https" | "http" | "ssh";
      /** As git is to get it: one form for every way of writing it. */
      readonly url: string;
      /** A name or an address, without brackets. */
      readonly host: string;
      readonly port: number;
    };

const URL_CHARS_MAX = 2_048;
/** Blank and control characters have no place in a URL, and ways of their own in programs. */
const FORBIDDEN = /[\s\p{Cc}\p{Cf}\\]/u;
const SCP_FORM =
  /^(?<user>[A-Za-z0-9_][A-Za-z0-9_.-]*)@(?<host>[A-Za-z0-9][A-Za-z0-9.-]*):(?!\/\/)(?<path>[^:].*)$/;
const HOST_NAME =
  /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*\.?$/;
const USER_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;
const PORTS = { https: 443, http: 80, ssh: 22 } as const;

/** The URL in one form, or TerminalError `repository-refused`. */
export const checkRepositoryUrl = (url: string, policy: RepositoryPolicy): RepositoryAddress => {
  if (url.length > URL_CHARS_MAX) throw refuse("it is too long");
  if (FORBIDDEN.test(url)) throw refuse("it has blank or control characters");
  if (url.startsWith("-")) throw refuse("it looks like an option");
  if (url.startsWith("/")) return checkLocal(url, policy);
  const scp = SCP_FORM.exec(url)?.groups;
  if (scp !== undefined) {
    return checkRemote(new URL(`ssh://${scp["user"]}@${scp["host"]}/${scp["path"]}`), policy);
  }
  if (!/^[a-z+]+:\/\//i.test(url) || !URL.canParse(url)) throw refuse("its form is not known");
  const parsed = new URL(url);
  return parsed.protocol === "file:"
    ? checkLocal(decodePath(parsed), policy)
    : checkRemote(parsed, policy);
};

const checkLocal = (path: string, policy: RepositoryPolicy): RepositoryAddress => {
  if (!policy.allowLocalRepositories) throw refuse("repositories of this machine are not allowed");
  // git decodes once more what it gets.
  if (FORBIDDEN.test(path) || path.includes("%")) throw refuse("its path has odd characters");
  return { protocol: "file", url: `file://${path}`, path };
};

const decodePath = (url: URL): string => {
  if (url.host !== "") throw refuse("file:// with a host is no path of this machine");
  try {
    return decodeURIComponent(url.pathname);
  } catch (cause) {
    throw refuse("its path is not encoded properly", cause);
  }
};

const checkRemote = (url: URL, policy: RepositoryPolicy): RepositoryAddress => {
  const protocol = protocolOf(url);
  if (protocol === "http" && !policy.allowPrivateNetworks) {
    throw refuse("http is neither encrypted nor signed; use https or ssh");
  }
  if (url.password !== "" || (protocol !== "ssh" && url.username !== "")) {
    throw refuse("it holds credentials; configure them apart from the URL");
  }
  if (url.username !== "" && !USER_NAME.test(url.username)) throw refuse("its user name is odd");
  // For ssh the URL parser leaves the host's case alone.
  const host = url.hostname.replace(/^\[|\]$/g, "").toLowerCase();
  if (isIP(host) === 0 && !HOST_NAME.test(host)) throw refuse("its host name is odd");
  if (isIP(host) !== 0) checkRepositoryAddress(host, policy);
  if (url.search !== "" || url.hash !== "") throw refuse("it has a query or a fragment");
  if (url.pathname.length < 2) throw refuse("it names no repository");
  // git passes an ssh path to a shell on the other side, quoted; an option there starts with `-`.
  if (protocol === "ssh" && url.pathname.startsWith("/-")) throw refuse("its path is odd");
  const port = url.port === "" ? PORTS[protocol] : Number(url.port);
  const user = url.username === "" ? "" : `${url.username}@`;
  const name = isIP(host) === 6 ? `[${host}]` : host;
  return { protocol, url: `${protocol}://${user}${name}:${port}${url.pathname}`, host, port };
};

const protocolOf = (url: URL): "https" | "http" | "ssh" => {
  switch (url.protocol) {
    case "https:":
      return "https";
    case "http:":
      return "http";
    case "ssh:":
    case "git+ssh:":
      return "ssh";
    default:
      throw refuse(`${url.protocol} is not allowed; use https or ssh`);
  }
};

const refuse = (reason: string, cause?: unknown): TerminalError =>
  new TerminalError(`the repository's URL is refused: ${reason}`, {
    code: "repository-refused",
    hint: "like https://host/team/project.git or git@host:team/project.git",
    cause,
  });

type Subnet = readonly [network: string, prefix: number, family: "ipv4" | "ipv6"];

const blockList = (subnets: readonly Subnet[]): BlockList => {
  const list = new BlockList();
  for (const [network, prefix, family] of subnets) list.addSubnet(network, prefix, family);
  return list;
};

/**
 * Never a repository: link-local (cloud metadata lives there), multicast, "this host", documentation
 * and what is reserved. https://www.iana.org/assignments/iana-ipv4-special-registry
 */
const NEVER = blockList([
  ["0.0.0.0", 8, "ipv4"],
  ["169.254.0.0", 16, "ipv4"],
  ["192.0.0.0", 24, "ipv4"],
  ["192.0.2.0", 24, "ipv4"],
  ["198.51.100.0", 24, "ipv4"],
  ["203.0.113.0", 24, "ipv4"],
  ["224.0.0.0", 4, "ipv4"],
  ["240.0.0.0", 4, "ipv4"],
  ["::", 128, "ipv6"],
  ["fe80::", 10, "ipv6"],
  ["ff00::", 8, "ipv6"],
  ["2001:db8::", 32, "ipv6"],
  // The metadata service of AWS by IPv6.
  ["fd00:ec2::", 32, "ipv6"],
  // Addresses that wrap an IPv4 address which is not looked at here: NAT64, 6to4, Teredo.
  ["64:ff9b::", 96, "ipv6"],
  ["64:ff9b:1::", 48, "ipv6"],
  ["2002::", 16, "ipv6"],
  ["2001::", 32, "ipv6"],
]);

const PRIVATE = blockList([
  ["10.0.0.0", 8, "ipv4"],
  ["100.64.0.0", 10, "ipv4"],
  ["127.0.0.0", 8, "ipv4"],
  ["172.16.0.0", 12, "ipv4"],
  ["192.168.0.0", 16, "ipv4"],
  ["198.18.0.0", 15, "ipv4"],
  ["::1", 128, "ipv6"],
  ["fc00::", 7, "ipv6"],
  ["fec0::", 10, "ipv6"],
]);

/** Throws `repository-refused` for an address that git must not connect to. */
export const checkRepositoryAddress = (address: string, policy: RepositoryPolicy): void => {
  const family = isIP(address) === 6 ? "ipv6" : "ipv4";
  if (isIP(address) === 0) throw refuse(`${address} is no address`);
  // BlockList looks through IPv4-mapped addresses (::ffff:…) by itself.
  if (NEVER.check(address, family)) throw refuse(`${address} is no place for a repository`);
  if (!policy.allowPrivateNetworks && PRIVATE.check(address, family)) {
    throw refuse(`${address} is in a private network`);
  }
};
