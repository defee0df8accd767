/**
 * Errors over HTTP: one exception that carries its answer, and the middleware that writes it as
 * problem+json (RFC 9457). Whatever else is thrown leaves the process as a bare 500 or 503.
 */
import type middy from "@middy/core";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import type { Logger } from "pino";
import { AmbiguousError, ConflictError, RetryableError } from "../volume/errors.ts";

export interface ProblemDetails {
  readonly status: number;
  /** Names the case for programs: `signature-refused`. */
  readonly code: string;
  /** One sentence for people. Never holds a secret, a stack or another caller's data. */
  readonly detail: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Thrown by a handler: the answer it wants sent. */
export class HttpProblem extends Error {
  readonly details: ProblemDetails;

  constructor(details: ProblemDetails, options?: ErrorOptions) {
    super(details.detail, options);
    this.name = "HttpProblem";
    this.details = details;
  }
}

const RETRY_AFTER_S = "10";

export const UNAVAILABLE: ProblemDetails = {
  status: 503,
  code: "unavailable",
  detail: "Try again later.",
  headers: { "retry-after": RETRY_AFTER_S },
};

const INTERNAL: ProblemDetails = { status: 500, code: "internal", detail: "An internal error." };

export const renderProblem = (details: ProblemDetails): APIGatewayProxyStructuredResultV2 => ({
  statusCode: details.status,
  headers: { ...details.headers, "content-type": "application/problem+json" },
  body: JSON.stringify({
    type: "about:blank",
    title: details.code,
    status: details.status,
    detail: details.detail,
  }),
});

/** Answers every error, and logs those that are not the caller's fault. */
export const problemJson = (
  log: Logger,
): middy.MiddlewareObj<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2> => ({
  onError: (request) => {
    const details = detailsOf(request.error);
    if (details.status >= 500)
      log.error({ err: request.error, status: details.status }, "http.failed");
    request.response = renderProblem(details);
  },
});

const detailsOf = (error: unknown): ProblemDetails => {
  if (error instanceof HttpProblem) return error.details;
  const isTransient =
    error instanceof RetryableError ||
    error instanceof AmbiguousError ||
    error instanceof ConflictError ||
    (error instanceof Error && (error.name === "TimeoutError" || error.name === "AbortError"));
  if (isTransient) return UNAVAILABLE;
  const status = statusOf(error);
  return status === null
    ? INTERNAL
    : { status, code: "refused", detail: "The request is refused." };
};

/** middy's own errors carry a status; only a caller's fault is told to the caller. */
const statusOf = (error: unknown): number | null => {
  if (!(error instanceof Error) || !("statusCode" in error)) return null;
  const { statusCode } = error;
  return typeof statusCode === "number" && statusCode >= 400 && statusCode < 500
    ? statusCode
    : null;
};
