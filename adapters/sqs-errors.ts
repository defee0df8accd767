/** Every call to a queue goes through here: bounded in time, its errors translated once. */
import { RetryableError, TerminalError } from "../volume/errors.ts";

const CALL_TIMEOUT_MS = 30_000;

/** The parts of the SDK's errors that are used. */
interface SqsFailure {
  readonly name?: string;
  readonly message?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

const MISSING = /NonExistentQueue|QueueDoesNotExist/;
const DENIED =
  /AccessDenied|UnrecognizedClient|InvalidClientTokenId|InvalidSignature|SignatureDoesNotMatch|ExpiredToken|CredentialsProviderError|KmsAccessDenied/;
const THROTTLED = /Throttl|TooManyRequests|OverLimit|RequestLimitExceeded/;

/** Throws the signal's reason, RetryableError (`sqs-failed`, `sqs-timeout`) or TerminalError. */
export const callSqs = async <T>(
  what: string,
  signal: AbortSignal,
  call: (options: { abortSignal: AbortSignal }) => Promise<T>,
  timeoutMs: number = CALL_TIMEOUT_MS,
): Promise<T> => {
  signal.throwIfAborted();
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    return await call({ abortSignal: AbortSignal.any([signal, timeout]) });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (timeout.aborted) {
      throw new RetryableError(`${what}: no answer in ${timeoutMs} ms`, {
        code: "sqs-timeout",
        cause: error,
      });
    }
    throw translateSqsError(what, error as SqsFailure);
  }
};

const translateSqsError = (what: string, failure: SqsFailure): Error => {
  const { name = "", $metadata } = failure;
  const message = `${what}: ${name} ${failure.message ?? ""}`.trim();
  if (MISSING.test(name)) {
    return new TerminalError(message, { code: "queue-missing", cause: failure });
  }
  if (DENIED.test(name)) {
    return new TerminalError(message, {
      code: "queue-denied",
      hint:
        name === "CredentialsProviderError"
          ? "set BAGAGE_SQS_ACCESS_KEY and BAGAGE_SQS_SECRET_KEY, or give the process a role on AWS"
          : "check the credentials, the region, and the role's sqs: permissions",
      cause: failure,
    });
  }
  const status = $metadata?.httpStatusCode ?? 0;
  if (status >= 400 && status < 500 && !THROTTLED.test(name)) {
    return new TerminalError(message, { code: "sqs-refused", cause: failure });
  }
  return new RetryableError(message, {
    code: "sqs-failed",
    hint: "check that the queue's endpoint is up and reachable",
    cause: failure,
  });
};
