/**
 * What an operator's tools ask of a process: `/health` (it runs), `/ready` (it reaches its store) and
 * `/metrics`. In front of whatever else the process answers.
 */
import type {
  APIGatewayProxyEventV2,
  APIGatewayProxyStructuredResultV2,
  Context,
} from "aws-lambda";
import type { Metrics } from "../adapters/metrics.ts";
import type { ObjectStore } from "../volume/object-store.ts";

export type HttpHandler = (
  event: APIGatewayProxyEventV2,
  context: Context,
) => Promise<APIGatewayProxyStructuredResultV2>;

export interface OperationsPorts {
  readonly store: ObjectStore;
  readonly metrics: Pick<Metrics, "render" | "contentType">;
  /** The process ends: it finishes what it holds, and wants nothing new. */
  readonly isStopping: () => boolean;
}

/** A store that takes longer is one that is away. */
const READY_TIMEOUT_MS = 3_000;
/** Never there: what counts is that the store says so. */
const READY_KEY = "probe/ready";

export const withOperations =
  (ports: OperationsPorts, next: HttpHandler): HttpHandler =>
  async (event, context) => {
    if (event.requestContext.http.method !== "GET") return next(event, context);
    switch (event.rawPath) {
      case "/health":
        return text(200, "ok");
      case "/ready":
        return checkReady(ports);
      case "/metrics": {
        const headers = { "content-type": ports.metrics.contentType };
        return { statusCode: 200, headers, body: await ports.metrics.render() };
      }
      default:
        return next(event, context);
    }
  };

const checkReady = async ({ store, isStopping }: OperationsPorts) => {
  if (isStopping()) return text(503, "stopping");
  try {
    await store.head(READY_KEY, AbortSignal.timeout(READY_TIMEOUT_MS));
    return text(200, "ready");
  } catch {
    return text(503, "the store does not answer");
  }
};

/** For a process that answers nothing else. */
export const notFound: HttpHandler = async () => text(404, "not found");

const text = (statusCode: number, body: string): APIGatewayProxyStructuredResultV2 => ({
  statusCode,
  headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" },
  body: `${body}\n`,
});
