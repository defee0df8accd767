/** Every call to the Docker engine goes through here: bounded in time, its errors translated once. */
import { RetryableError, TerminalError } from "../volume/errors.ts";

const CALL_TIMEOUT_MS = 60_000;
const MESSAGE_CHARS_MAX = 1_000;

/** What the client throws for an answer that is not a success. */
interface EngineRefusal {
  readonly statusCode: number;
  readonly message: string;
}

/**
 * Runs one engine call. Throws the signal's reason when the caller gave up, RetryableError when the
 * engine can't be reached or failed, TerminalError when repeating the same call is no use.
 */
export const callEngine = async <T>(
  what: string,
  signal: AbortSignal,
  call: (abortSignal: AbortSignal) => Promise<T>,
  timeoutMs: number = CALL_TIMEOUT_MS,
): Promise<T> => {
  signal.throwIfAborted();
  const timeout = AbortSignal.timeout(timeoutMs);
  const either = AbortSignal.any([signal, timeout]);
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(either.reason);
  either.addEventListener("abort", abort, { once: true });
  try {
    // Raced, because not every call of the client can be aborted.
    return await Promise.race([call(either), aborted]);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (timeout.aborted) {
      throw new RetryableError(`${what}: the Docker engine gave no answer in ${timeoutMs} ms`, {
        code: "docker-timeout",
        cause: error,
      });
    }
    throw translateEngineError(what, error);
  } finally {
    either.removeEventListener("abort", abort);
  }
};

/** The engine's answer "there is no such thing" as null; every other error goes on. */
export const orNull = async <T>(call: Promise<T>): Promise<T | null> => {
  try {
    return await call;
  } catch (error) {
    if (isRefusal(error, "docker-not-found")) return null;
    throw error;
  }
};

export const isRefusal = (error: unknown, code: string): boolean =>
  error instanceof TerminalError && error.code === code;

/** What an engine says that was killed while it started a container, and can't start that one ever again. */
const LEFTOVER = /\btask [0-9a-f]{64}: already exists|\bid already in use$/;
const LEFTOVER_CODE = "docker-leftover";

export const isLeftover = (error: unknown): boolean =>
  error instanceof RetryableError && error.code === LEFTOVER_CODE;

export const translateEngineError = (what: string, error: unknown): Error => {
  if (error instanceof RetryableError || error instanceof TerminalError) return error;
  const { code, address } = error as NodeJS.ErrnoException & { readonly address?: string };
  const engine = address === undefined ? "the Docker engine" : `the Docker engine at ${address}`;
  if (code === "EACCES" || code === "EPERM") {
    return new TerminalError(`${what}: no permission to talk to ${engine}`, {
      code: "docker-denied",
      hint: "run the agent as root or in the docker group",
      cause: error,
    });
  }
  if (!isEngineRefusal(error)) {
    return new RetryableError(`${what}: can't reach ${engine} (${String(code ?? error)})`, {
      code: "docker-unreachable",
      hint: "systemctl status docker; if its socket is elsewhere, set BAGAGE_DOCKER_SOCKET to its path",
      cause: error,
    });
  }
  return translateRefusal(what, error);
};

const isEngineRefusal = (error: unknown): error is EngineRefusal =>
  typeof (error as Partial<EngineRefusal> | null)?.statusCode === "number";

/** Cases that the status alone does not tell apart, by what the engine says. */
const KNOWN_REFUSALS: readonly { says: RegExp; code: string; hint: string }[] = [
  {
    says: /source path does not exist/i,
    code: "mount-source-missing",
    hint: "the directory of this epoch is gone; the agent starts the epoch that the record names",
  },
  {
    says: /executable file not found|no such file or directory: unknown|permission denied: unknown/i,
    code: "command-not-runnable",
    hint: "check `command` and `entrypoint` against what the image holds",
  },
  {
    says: /unable to find user|no matching entries in passwd/i,
    code: "user-unknown",
    hint: "check `user` against the image's /etc/passwd, or give a number",
  },
];

const REFUSAL_CODES: ReadonlyMap<number, string> = new Map([
  [304, "docker-unchanged"],
  [404, "docker-not-found"],
  [409, "docker-conflict"],
]);

const translateRefusal = (what: string, refusal: EngineRefusal): Error => {
  const said = refusal.message.trim().slice(0, MESSAGE_CHARS_MAX);
  const message = `${what}: ${said}`;
  const data = { statusCode: refusal.statusCode };
  const known = KNOWN_REFUSALS.find(({ says }) => says.test(said));
  if (known !== undefined) {
    return new TerminalError(message, { ...known, data, cause: refusal });
  }
  const code = REFUSAL_CODES.get(refusal.statusCode);
  if (code !== undefined) return new TerminalError(message, { code, data, cause: refusal });
  if (refusal.statusCode >= 400 && refusal.statusCode < 500) {
    return new TerminalError(message, { code: "docker-refused", data, cause: refusal });
  }
  const failed = LEFTOVER.test(said) ? LEFTOVER_CODE : "docker-failed";
  return new RetryableError(message, { code: failed, data, cause: refusal });
};
