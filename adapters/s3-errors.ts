/** What S3's errors mean to us. The only place that knows the provider's names and status codes. */
import { BagageError, RetryableError, TerminalError } from "../volume/errors.ts";

interface ProviderError {
  readonly name?: string;
  readonly message?: string;
  readonly code?: string;
  readonly syscall?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** The SDK takes the store's time from such an answer, and signs the next request by that. */
const SKEWED = "RequestTimeTooSkewed";
const RETRYABLE_NAMES = new Set([
  "TimeoutError",
  "SlowDown",
  "RequestTimeout",
  "InternalError",
  SKEWED,
]);
const RETRYABLE_CODES = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EAI_AGAIN",
  "ENOTFOUND",
  "ERR_STREAM_PREMATURE_CLOSE",
]);

const status = (error: unknown): number => (error as ProviderError).$metadata?.httpStatusCode ?? 0;

/** No object at the key. A missing bucket is an error, not an absent object. */
export const isAbsent = (error: unknown): boolean => {
  const { name } = error as ProviderError;
  return (
    name === "NoSuchKey" ||
    name === "NotFound" ||
    (status(error) === 404 && name !== "NoSuchBucket")
  );
};

/** The condition of a create-once PUT did not hold. */
export const isTaken = (error: unknown): boolean => status(error) === 412;

export const isRetryable = (error: unknown): boolean => {
  if (error instanceof RetryableError) return true;
  const { name, code, syscall } = error as ProviderError;
  return (
    // Whatever keeps a connection from being made (EINVAL: a route into nothing), it may pass.
    (status(error) === 0 && syscall === "connect") ||
    status(error) >= 500 ||
    status(error) === 429 ||
    // RGW and AWS answer so while another conditional write to the key is under way.
    status(error) === 409 ||
    RETRYABLE_NAMES.has(name ?? "") ||
    RETRYABLE_CODES.has(code ?? "")
  );
};

/** Of a bucket that a user named or owns, which no setting names. */
export const translateBucketError = (what: string, cause: unknown): Error => {
  if ((cause as ProviderError).name !== "NoSuchBucket") return translateS3Error(what, cause);
  return new TerminalError(`store: ${what}: there is no such bucket`, {
    code: "unknown-bucket",
    hint: "check the bucket's name; one that a project lost: bagage s3 enable PROJECT",
    cause,
  });
};

export const translateS3Error = (what: string, cause: unknown): Error => {
  if (cause instanceof BagageError) return cause;
  const { name, message } = cause as ProviderError;
  // The SDK's word for an answer that has a name and no text.
  const said = message === undefined || message === "UnknownError" ? "" : `: ${message}`;
  const text = `store: ${what}: ${name ?? "error"}${said}`;
  if (isRetryable(cause)) {
    const hint =
      name === SKEWED
        ? "set the clock of this machine"
        : "check that BAGAGE_S3_ENDPOINT is right and answers: bagage doctor";
    return new RetryableError(text, { code: "store-unavailable", hint, cause });
  }
  if (name === "NoSuchBucket") {
    return new TerminalError(text, {
      code: "config-bucket",
      hint: "make the bucket that BAGAGE_STORE names, or name another",
      cause,
    });
  }
  if (name === "QuotaExceeded") {
    return new TerminalError(text, {
      code: "store-full",
      hint: "raise the quota, or make room: bagage gc",
      cause,
    });
  }
  const isDenied = status(cause) === 403;
  return new TerminalError(text, {
    code: isDenied ? "store-denied" : "store-refused",
    hint: isDenied ? "check the store's keys and its bucket policy" : "run `bagage doctor`",
    cause,
  });
};
