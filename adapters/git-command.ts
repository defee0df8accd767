/**
 * Runs git as a hostile repository would not like it: without the machine's configuration, without
 * hooks, filters, submodules, prompts, redirects and other transports; bounded in time, in what it
 * may print and in the size of the files it may write. The command line is used rather than a
 * library, because it is what every server is tested with, and speaks ssh and partial clones.
 */
import { execFile } from "node:child_process";
import { RetryableError, TerminalError } from "../volume/errors.ts";

export interface GitRun {
  /** An empty directory of one's own: git's home, and where its repository lies. */
  readonly directory: string;
  readonly protocol: "https" | "http" | "ssh" | "file";
  /** Given through the environment, so that secrets stand in no process list. */
  readonly config: readonly (readonly [key: string, value: string])[];
  readonly sshCommand?: string;
}

const TIMEOUT_MS = 120_000;
const OUTPUT_BYTES_MAX = 4 << 20;
/** In units of 512 bytes, as POSIX has it for `ulimit -f`: 1 GiB. */
const FILE_BLOCKS_MAX = 2 << 20;
const ERROR_CHARS_MAX = 500;
/** Bytes a second for so many seconds: below that a server is taken for stuck. */
const SPEED_BYTES_MIN = "1000";
const SPEED_SECONDS = "30";

const BASE_CONFIG: readonly (readonly [string, string])[] = [
  ["core.hooksPath", "/dev/null"],
  ["core.fsmonitor", "false"],
  ["core.askPass", "true"],
  ["credential.helper", ""],
  ["protocol.allow", "never"],
  ["protocol.ext.allow", "never"],
  ["http.followRedirects", "false"],
  ["http.lowSpeedLimit", SPEED_BYTES_MIN],
  ["http.lowSpeedTime", SPEED_SECONDS],
  ["http.emptyAuth", "false"],
  ["fetch.recurseSubmodules", "false"],
  ["submodule.recurse", "false"],
  ["transfer.fsckObjects", "true"],
  ["transfer.bundleURI", "false"],
  ["gc.auto", "0"],
  ["maintenance.auto", "false"],
];

/** What git printed. Throws the signal's reason, or what `explainGitFailure` makes of the end. */
export const runGit = async (
  run: GitRun,
  args: readonly string[],
  signal: AbortSignal,
): Promise<Buffer> => {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const script = `ulimit -f ${FILE_BLOCKS_MAX} && exec git "$@"`;
  execFile(
    "/bin/sh",
    ["-c", script, "git", ...args],
    {
      cwd: run.directory,
      env: environmentOf(run),
      encoding: "buffer",
      maxBuffer: OUTPUT_BYTES_MAX,
      timeout: TIMEOUT_MS,
      killSignal: "SIGKILL",
      signal,
    },
    (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else if (signal.aborted) reject(signal.reason);
      else reject(explainGitFailure(args[0] ?? "", error, stderr.toString("utf8")));
    },
  );
  return promise;
};

const environmentOf = ({ directory, protocol, config, sshCommand }: GitRun) => {
  const all = [...BASE_CONFIG, [`protocol.${protocol}.allow`, "always"] as const, ...config];
  const env: Record<string, string> = {
    // biome-ignore lint/style/noProcessEnv: where programs are is the machine's business.
    PATH: process.env["PATH"] ?? "/usr/bin:/bin",
    LC_ALL: "C",
    HOME: directory,
    XDG_CONFIG_HOME: directory,
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ASKPASS: "true",
    SSH_ASKPASS: "true",
    GIT_ALLOW_PROTOCOL: protocol,
    GIT_PROTOCOL_FROM_USER: "0",
    GIT_CEILING_DIRECTORIES: directory,
    GIT_NO_REPLACE_OBJECTS: "1",
    GIT_CONFIG_COUNT: String(all.length),
    ...(sshCommand === undefined ? {} : { GIT_SSH_COMMAND: sshCommand, GIT_SSH_VARIANT: "ssh" }),
  };
  for (const [index, [key, value]] of all.entries()) {
    env[`GIT_CONFIG_KEY_${index}`] = key;
    env[`GIT_CONFIG_VALUE_${index}`] = value;
  }
  return env;
};

interface Failure {
  readonly says: RegExp;
  readonly code: string;
  readonly hint: string;
}

const TERMINAL_FAILURES: readonly Failure[] = [
  {
    says: /Authentication failed|could not read (?:Username|Password)|Permission denied|terminal prompts disabled|error: 40[13]/i,
    code: "repository-denied",
    hint: "check the credentials that are configured for this repository",
  },
  {
    says: /Host key verification failed|certificate verif|SSL certificate problem/i,
    code: "repository-untrusted",
    hint: "check the host's key or certificate, and the known-hosts file",
  },
  {
    says: /not found|does not appear to be a git repository|does not exist|error: 404|not a git repository/i,
    code: "repository-missing",
    hint: "check the repository's URL, and that the credentials may see it",
  },
  {
    says: /unable to update url base from redirection|error: 30\d|redirect/i,
    code: "repository-moved",
    hint: "redirects are not followed; configure the URL that it leads to",
  },
  {
    says: /transport '.*' not allowed|dubious ownership/i,
    code: "repository-refused",
    hint: "use https or ssh",
  },
  {
    says: /File size limit|SIGXFSZ|fsck error|index-pack failed/i,
    code: "repository-too-large",
    hint: "a server with partial clones (uploadpack.allowFilter) sends only what is needed",
  },
];

interface ExecError extends Error {
  readonly code?: number | string | null;
  readonly signal?: string | null;
  readonly killed?: boolean;
}

export const explainGitFailure = (command: string, error: ExecError, stderr: string): Error => {
  const said = stderr.trim().slice(-ERROR_CHARS_MAX);
  const message = `git ${command}: ${said === "" ? error.message.slice(0, ERROR_CHARS_MAX) : said}`;
  if (error.code === "ENOENT") {
    return new TerminalError("there is no /bin/sh to run git with", { code: "git-missing" });
  }
  if (error.code === 127) {
    return new TerminalError("git is not installed", {
      code: "git-missing",
      hint: "apt-get install git",
    });
  }
  if (error.code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER") {
    return new TerminalError(`git ${command} printed too much`, { code: "git-output-too-large" });
  }
  if (error.killed === true) {
    return new RetryableError(`git ${command} took longer than ${TIMEOUT_MS} ms`, {
      code: "git-timeout",
    });
  }
  const known = TERMINAL_FAILURES.find(
    ({ says }) => says.test(said) || says.test(error.signal ?? ""),
  );
  const details = { data: { exitCode: error.code ?? null, signal: error.signal ?? null } };
  return known === undefined
    ? new RetryableError(message, {
        ...details,
        code: "git-failed",
        hint: "check that the repository's host is up and reachable",
      })
    : new TerminalError(message, { ...details, code: known.code, hint: known.hint });
};
