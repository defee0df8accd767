/**
 * Reads commits and single files from a git repository somewhere else. What to deploy is asked of
 * git itself: the payload of a push is not believed. Each call works in a directory of its own and
 * removes it: nothing to lock, to repair or to fill the disk, whatever a force-push does; of a large
 * repository only one commit's trees and one file are fetched where the server can do that.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { RetryableError, TerminalError } from "../volume/errors.ts";
import { CommitId } from "../workflows/ids.ts";
import { runGit } from "./git-command.ts";
import { type GitCredentials, type GitRemote, reachRepository } from "./git-remote.ts";
import type { RepositoryPolicy } from "./repository-url.ts";

export interface GitSourceOptions {
  /** For the directories of the calls; it needs space for one shallow copy a call. */
  readonly workDirectory: string;
  readonly policy: RepositoryPolicy;
  readonly credentialsFor?: (repository: string) => Promise<GitCredentials | null>;
  /** Every address of a host; default: the system's resolver. */
  readonly resolveHost?: (host: string) => Promise<readonly string[]>;
}

export interface ResolveRequest {
  readonly repository: string;
  readonly ref: string;
  /** A commit on that ref; default: where the ref points to now. */
  readonly commit: CommitId | undefined;
  /** The file to read there. */
  readonly file: string;
}

export interface ResolvedFile {
  readonly commit: CommitId;
  readonly subject: string;
  /** Null: the commit has no such file. */
  readonly file: Uint8Array | null;
}

/** Errors: `repository-…` and `git-…`, Terminal or Retryable; `file-…` for what is no plain file. */
export interface GitSource {
  /** Null: there is no such ref. */
  resolveRef(
    request: { readonly repository: string; readonly ref: string },
    signal: AbortSignal,
  ): Promise<CommitId | null>;
  /** Null: no such ref, or the commit is not on it (any more). */
  resolve(request: ResolveRequest, signal: AbortSignal): Promise<ResolvedFile | null>;
  /** Null: the commit is not there, or has no such file. */
  readFileAtCommit(
    request: { readonly repository: string; readonly commit: CommitId; readonly path: string },
    signal: AbortSignal,
  ): Promise<Uint8Array | null>;
  /** The first line of the message, at most 200 characters; null: the commit is not there. */
  commitSubject(
    request: { readonly repository: string; readonly commit: CommitId },
    signal: AbortSignal,
  ): Promise<string | null>;
}

export const FILE_BYTES_MAX = 1 << 20;
const SUBJECT_CHARS_MAX = 200;
/** An older commit than so many behind the ref's tip is not looked for. */
const HISTORY_COMMITS_MAX = 10_000;
const RESOLVE_ATTEMPTS_MAX = 3;
const REF =
  /^refs\/(?!.*(?:\.\.|@\{|\/\/|\.lock(?:\/|$)|\/\.|\.\/))[^\s\p{Cc}~^:?*[\\]{1,244}(?<![./])$/u;

export const createGitSource = (options: GitSourceOptions): GitSource => {
  const known: KnownCommits = new Map();
  const visit = async <T>(
    repository: string,
    signal: AbortSignal,
    work: (remote: GitRemote) => Promise<T>,
  ): Promise<T> => {
    await mkdir(options.workDirectory, { recursive: true, mode: 0o700 });
    const directory = await mkdtemp(join(options.workDirectory, "git-"));
    try {
      return await work(await reachRepository({ ...options, repository, directory }, signal));
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  };
  return {
    resolveRef: ({ repository, ref }, signal) =>
      visit(repository, signal, (remote) => lookUpRef(remote, ref, signal)),
    resolve: (request, signal) =>
      visit(request.repository, signal, (remote) => resolve(remote, { request, known }, signal)),
    readFileAtCommit: ({ repository, commit, path }, signal) =>
      visit(repository, signal, async (remote) =>
        (await fetchCommit(remote, commit, signal)) ? readFile(remote, commit, path, signal) : null,
      ),
    commitSubject: ({ repository, commit }, signal) =>
      visit(repository, signal, async (remote) =>
        (await fetchCommit(remote, commit, signal)) ? readSubject(remote, commit, signal) : null,
      ),
  };
};

/**
 * What commits say, by repository, commit and path: neither ever changes, and a commit is deployed more
 * than once, when nodes are drained, deploys repeated, or projects share a repository.
 */
type KnownCommits = Map<string, ResolvedFile>;
const KNOWN_MAX = 200;
const KNOWN_FILE_BYTES_MAX = 64 * 1_024;

const resolve = async (
  remote: GitRemote,
  { request, known }: { readonly request: ResolveRequest; readonly known: KnownCommits },
  signal: AbortSignal,
): Promise<ResolvedFile | null> => {
  const { repository, ref, commit: wanted, file } = request;
  for (let attempt = 1; attempt <= RESOLVE_ATTEMPTS_MAX; attempt += 1) {
    const tip = await lookUpRef(remote, ref, signal);
    if (tip === null) return null;
    const commit = wanted ?? tip;
    if (commit !== tip && !(await isOnRef(remote, ref, commit, signal))) return null;
    const name = [repository, commit, file].join("\n");
    const before = known.get(name);
    if (before !== undefined) return before;
    // Between the two calls a force-push may have taken the commit away: look again.
    if (!(await fetchCommit(remote, commit, signal))) continue;
    const subject = await readSubject(remote, commit, signal);
    const resolved = { commit, subject, file: await readFile(remote, commit, file, signal) };
    if (known.size >= KNOWN_MAX) known.clear();
    if ((resolved.file?.length ?? 0) <= KNOWN_FILE_BYTES_MAX) known.set(name, resolved);
    return resolved;
  }
  throw new RetryableError(`${ref} moves faster than it can be read`, { code: "git-ref-moving" });
};

const lookUpRef = async (
  remote: GitRemote,
  ref: string,
  signal: AbortSignal,
): Promise<CommitId | null> => {
  if (!REF.test(ref)) {
    throw new TerminalError(`${JSON.stringify(ref)} is not a full ref name`, {
      code: "ref-invalid",
      hint: "like refs/heads/main or refs/tags/v1.4",
    });
  }
  // `^{}` is the commit that an annotated tag points to.
  const args = ["ls-remote", "--quiet", "--", remote.url, ref, `${ref}^{}`];
  const lines = (await runGit(remote, args, signal)).toString("utf8").split("\n");
  const found = new Map(
    lines.map((line) => {
      const [id = "", name = ""] = line.split("\t");
      return [name, id];
    }),
  );
  const id = found.get(`${ref}^{}`) ?? found.get(ref);
  return id === undefined ? null : CommitId.parse(id);
};

/** Commits alone, no trees and files, so that a long history stays small. */
const isOnRef = async (
  remote: GitRemote,
  ref: string,
  commit: CommitId,
  signal: AbortSignal,
): Promise<boolean> => {
  await init(remote, signal);
  const into = "refs/bagage/tip";
  const history = ["--filter=tree:0", `--depth=${HISTORY_COMMITS_MAX}`];
  await fetch(remote, [...history, remote.url, `+${ref}:${into}`], signal);
  const args = ["rev-list", "--no-walk", "--ignore-missing", commit];
  const known = (await runGit(remote, args, signal)).toString("utf8").trim();
  if (known !== commit) return false;
  const between = ["rev-list", "--count", "--max-count=1", commit, `^${into}`];
  return (await runGit(remote, between, signal)).toString("utf8").trim() === "0";
};

/** False: the server has no such commit, or will not say so. */
const fetchCommit = async (
  remote: GitRemote,
  commit: CommitId,
  signal: AbortSignal,
): Promise<boolean> => {
  await init(remote, signal);
  try {
    await fetch(remote, ["--filter=blob:none", "--depth=1", remote.url, commit], signal);
    return true;
  } catch (error) {
    const isMissing =
      error instanceof Error &&
      /not our ref|unadvertised object|no such remote ref|couldn't find remote ref/i.test(
        error.message,
      );
    if (isMissing) return false;
    throw error;
  }
};

const init = async (remote: GitRemote, signal: AbortSignal): Promise<void> => {
  // With a filter, fetch itself writes down where the blob that is read later comes from.
  await runGit(remote, ["init", "--quiet", "--bare", "--template=", "."], signal);
};

const fetch = (remote: GitRemote, args: readonly string[], signal: AbortSignal): Promise<unknown> =>
  runGit(remote, ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", ...args], signal);

const readSubject = async (
  remote: GitRemote,
  commit: CommitId,
  signal: AbortSignal,
): Promise<string> => {
  const args = ["show", "--no-patch", "--no-show-signature", "--format=%s", commit];
  const subject = (await runGit(remote, args, signal)).toString("utf8").trim();
  return subject.replace(/\p{Cc}/gu, " ").slice(0, SUBJECT_CHARS_MAX);
};

/** Straight from the object: no checkout, so no filters, attributes or symbolic links. */
const readFile = async (
  remote: GitRemote,
  commit: CommitId,
  path: string,
  signal: AbortSignal,
): Promise<Uint8Array | null> => {
  const listing = ["ls-tree", "-z", "--full-tree", commit, "--", `:(literal)${path}`];
  const [entry = ""] = (await runGit(remote, listing, signal)).toString("utf8").split("\0");
  if (entry === "") return null;
  const [mode = "", type = "", id = ""] = (entry.split("\t")[0] ?? "").split(" ");
  if (type !== "blob" || !mode.startsWith("100")) {
    throw new TerminalError(`${path} is not a plain file at ${commit}`, {
      code: "file-not-plain",
      hint: "symbolic links, directories and submodules are not followed",
    });
  }
  const size = Number((await runGit(remote, ["cat-file", "-s", id], signal)).toString("utf8"));
  if (size > FILE_BYTES_MAX) {
    throw new TerminalError(`${path} has ${size} bytes at ${commit}`, {
      code: "file-too-large",
      hint: `at most ${FILE_BYTES_MAX} bytes are read`,
    });
  }
  return runGit(remote, ["cat-file", "blob", id], signal);
};
