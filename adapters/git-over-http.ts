/**
 * Reads a commit and one of its files over HTTP(S) without a git program, for places that have none
 * (Lambda). isomorphic-git: well kept, typed, no native parts. The address is resolved and judged once
 * and every connection goes to it; redirects are refused, because they would lead past that judgement.
 */
import fs from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import git, { type GitHttpRequest, type GitHttpResponse, type HttpClient } from "isomorphic-git";
import { RetryableError, TerminalError } from "../volume/errors.ts";
import { CommitId } from "../workflows/ids.ts";
import { pinHost } from "./git-remote.ts";
import { requestPinned } from "./pinned-request.ts";
import { checkRepositoryUrl, type RepositoryPolicy } from "./repository-url.ts";

export interface GitOverHttpOptions {
  readonly policy: RepositoryPolicy;
  /** Sent as basic authentication; null: the repository is public. */
  readonly credentialsFor?: (
    repository: string,
  ) => Promise<{ readonly username: string; readonly password: string } | null>;
  readonly resolveHost?: (host: string) => Promise<readonly string[]>;
}

interface ResolveRequest {
  readonly repository: string;
  readonly ref: string;
  readonly commit: CommitId | undefined;
  readonly file: string;
}

/** A commit that is asked for by name must be this near to the tip of its ref. */
const DEPTH_MAX = 1_000;
const FILE_BYTES_MAX = 2 ** 20;

export const createGitOverHttp = (options: GitOverHttpOptions) => ({
  resolve: async (request: ResolveRequest, signal: AbortSignal) => {
    const http = await openClient(request.repository, options, signal);
    const credentials = (await options.credentialsFor?.(request.repository)) ?? null;
    const onAuth = () => credentials ?? { cancel: true };
    const directory = await mkdtemp(join(tmpdir(), "bagage-git-"));
    try {
      return await readCommit(
        { fs, http, onAuth, dir: directory, url: request.repository },
        request,
      );
    } catch (error) {
      throw translate(error, request.repository);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
});

interface Remote {
  readonly fs: typeof fs;
  readonly http: HttpClient;
  readonly onAuth: () => { username?: string; password?: string; cancel?: boolean };
  readonly dir: string;
  readonly url: string;
}

const readCommit = async (remote: Remote, { ref, commit, file }: ResolveRequest) => {
  const { http, onAuth, url, dir } = remote;
  const refs = await git.listServerRefs({ http, onAuth, url, prefix: ref });
  const tip = refs.find((found) => found.ref === ref)?.oid;
  if (tip === undefined) return null;
  await git.init({ fs, dir });
  await git.addRemote({ fs, dir, remote: "origin", url });
  const depth = commit === undefined || commit === tip ? 1 : DEPTH_MAX;
  await git.fetch({ ...remote, ref, depth, singleBranch: true, tags: false });
  const oid = commit ?? tip;
  const found = await orNull(git.readCommit({ fs, dir, oid }));
  if (found === null) return null;
  const blob = await orNull(git.readBlob({ fs, dir, oid, filepath: file }));
  if (blob !== null && blob.blob.length > FILE_BYTES_MAX) {
    throw new TerminalError(`${file} is larger than ${FILE_BYTES_MAX} bytes`, {
      code: "file-too-large",
    });
  }
  return {
    commit: CommitId.parse(found.oid),
    subject: found.commit.message.split("\n")[0] ?? "",
    file: blob?.blob ?? null,
  };
};

const orNull = async <T>(work: Promise<T>): Promise<T | null> => {
  try {
    return await work;
  } catch (error) {
    if ((error as { code?: string }).code === "NotFoundError") return null;
    throw error;
  }
};

const openClient = async (
  repository: string,
  options: GitOverHttpOptions,
  signal: AbortSignal,
): Promise<HttpClient> => {
  const address = checkRepositoryUrl(repository, options.policy);
  if (address.protocol !== "https" && address.protocol !== "http") {
    throw new TerminalError(`${repository}: only http(s) can be fetched without a git program`, {
      code: "repository-refused",
      hint: "give the project the repository's https URL",
    });
  }
  const { ip } = await pinHost(address.host, options);
  return { request: (request) => send(request, ip, signal) };
};

/** One request to the pinned address, whatever its name resolves to by now. */
const send = async (
  { url, method = "GET", headers = {}, body }: GitHttpRequest,
  ip: string,
  signal: AbortSignal,
): Promise<GitHttpResponse> => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body ?? []) chunks.push(chunk);
  const payload = Buffer.concat(chunks);
  const response = await requestPinned({ url, method, headers, body: payload, ip }, signal);
  const statusCode = response.statusCode ?? 0;
  if (statusCode >= 300 && statusCode < 400) {
    response.destroy();
    throw new TerminalError(`${new URL(url).host} redirects, and redirects are not followed`, {
      code: "repository-refused",
      hint: "give the project the repository's final URL",
    });
  }
  const flat = Object.entries(response.headers).map(([name, value]) => [name, String(value)]);
  return {
    url,
    method,
    statusCode,
    statusMessage: response.statusMessage ?? "",
    headers: Object.fromEntries(flat),
    body: response[Symbol.asyncIterator](),
  };
};

const translate = (error: unknown, repository: string): Error => {
  if (error instanceof TerminalError || error instanceof RetryableError) return error;
  const { code, message } = error as { code?: string; message?: string };
  const isRefused = code === "HttpError" || code === "UserCanceledError";
  const text = `can't read ${repository}: ${message}`;
  return isRefused
    ? new TerminalError(text, {
        code: "repository-unreadable",
        hint: "check the URL and the credentials",
        cause: error,
      })
    : new RetryableError(text, { code: "repository-unavailable", cause: error });
};
