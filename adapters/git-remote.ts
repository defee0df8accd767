/**
 * The way to a repository: its URL checked, its host's address resolved, judged and pinned, its
 * credentials laid out for git. A name is resolved once: were git to resolve it again, a name server
 * could answer first with a public and then with a private address.
 */
import { lookup } from "node:dns/promises";
import { writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { RetryableError } from "../volume/errors.ts";
import type { GitRun } from "./git-command.ts";
import {
  checkRepositoryAddress,
  checkRepositoryUrl,
  type RepositoryAddress,
  type RepositoryPolicy,
} from "./repository-url.ts";

export type GitCredentials =
  | { readonly kind: "token"; readonly username: string; readonly password: string }
  | {
      readonly kind: "ssh-key";
      readonly privateKeyFile: string;
      /** Without it the first key seen is trusted, and forgotten with the call. */
      readonly knownHostsFile?: string;
    };

export interface GitRemote extends GitRun {
  readonly url: string;
}

interface ReachRequest {
  readonly repository: string;
  /** Empty, for this call alone. */
  readonly directory: string;
  readonly policy: RepositoryPolicy;
  readonly credentialsFor?: (repository: string) => Promise<GitCredentials | null>;
  /** Every address of a host; default: the system's resolver. */
  readonly resolveHost?: (host: string) => Promise<readonly string[]>;
}

/** TerminalError `repository-refused` for a forbidden URL or address; `host-unknown` is transient. */
export const reachRepository = async (
  request: ReachRequest,
  signal: AbortSignal,
): Promise<GitRemote> => {
  const { repository, directory, policy } = request;
  const address = checkRepositoryUrl(repository, policy);
  const credentials = (await request.credentialsFor?.(repository)) ?? null;
  signal.throwIfAborted();
  const run = { directory, url: address.url, protocol: address.protocol };
  if (address.protocol === "file") {
    // Only the file in git's home counts for this, not the environment.
    const path = address.path.replace(/\/+$/, "").replaceAll('"', '\\"');
    const safe = `[safe]\n\tdirectory = "${path}"\n\tdirectory = "${path}/.git"\n`;
    await writeFile(join(directory, ".gitconfig"), safe);
    return { ...run, config: [] };
  }
  const pinned = await pinHost(address.host, request);
  if (address.protocol === "ssh") {
    return { ...run, config: [], sshCommand: sshCommand(pinned, directory, credentials) };
  }
  return { ...run, config: [...pinConfig(address, pinned), ...tokenConfig(address, credentials)] };
};

export interface PinnedHost {
  readonly host: string;
  readonly ip: string;
}

/** All addresses must be allowed: which one a client takes is not for the name server to choose. */
export const pinHost = async (
  host: string,
  { policy, resolveHost = resolveBySystem }: Pick<ReachRequest, "policy" | "resolveHost">,
): Promise<PinnedHost> => {
  const addresses = isIP(host) === 0 ? await resolveHost(host) : [host];
  for (const address of addresses) checkRepositoryAddress(address, policy);
  // Not every machine that has a name with an IPv6 address also has a way to it.
  const ip = addresses.find((address) => isIP(address) === 4) ?? addresses[0];
  if (ip === undefined)
    throw new RetryableError(`${host} has no address`, { code: "host-unknown" });
  return { host, ip };
};

const resolveBySystem = async (host: string): Promise<string[]> => {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch (cause) {
    throw new RetryableError(`can't resolve ${host}`, {
      code: "host-unknown",
      hint: "check the repository's URL and this machine's name server",
      cause,
    });
  }
};

type RemoteAddress = Exclude<RepositoryAddress, { protocol: "file" }>;

const pinConfig = (
  { port }: RemoteAddress,
  { host, ip }: PinnedHost,
): (readonly [string, string])[] =>
  isIP(host) !== 0
    ? []
    : [["http.curloptResolve", `${host}:${port}:${isIP(ip) === 6 ? `[${ip}]` : ip}`]];

/** For this origin only. */
const tokenConfig = (
  { url }: RemoteAddress,
  credentials: GitCredentials | null,
): (readonly [string, string])[] => {
  if (credentials?.kind !== "token") return [];
  const basic = Buffer.from(`${credentials.username}:${credentials.password}`).toString("base64");
  return [[`http.${url}.extraHeader`, `Authorization: Basic ${basic}`]];
};

/** No configuration of the machine's users, no agent, no password; the host key is the name's. */
const sshCommand = (
  { host, ip }: PinnedHost,
  directory: string,
  credentials: GitCredentials | null,
): string => {
  const key = credentials?.kind === "ssh-key" ? credentials : null;
  const knownHosts = key?.knownHostsFile;
  const options = [
    `HostName=${ip}`,
    `HostKeyAlias=${host}`,
    "BatchMode=yes",
    "ConnectTimeout=20",
    "IdentitiesOnly=yes",
    "IdentityAgent=none",
    "ForwardAgent=no",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    "ProxyCommand=none",
    "UpdateHostKeys=no",
    `UserKnownHostsFile=${knownHosts ?? join(directory, "known_hosts")}`,
    "GlobalKnownHostsFile=/dev/null",
    `StrictHostKeyChecking=${knownHosts === undefined ? "accept-new" : "yes"}`,
  ];
  const words = ["ssh", "-F", "/dev/null", ...options.flatMap((option) => ["-o", option])];
  return [...words, ...(key === null ? [] : ["-i", key.privateKeyFile])].map(quote).join(" ");
};

/** git hands the command to a shell. */
const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;
