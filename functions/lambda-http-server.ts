/**
 * A node:http server that runs a Lambda handler: what API Gateway's HTTP API (payload format 2.0) is
 * in the cloud. Nothing is buffered past its bound, and nobody may send slowly for ever.
 */
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type {
  APIGatewayProxyEventV2,
  APIGatewayProxyStructuredResultV2,
  Context,
} from "aws-lambda";
import { HttpProblem, renderProblem } from "./http-problem.ts";
import { createContext, toEvent } from "./lambda-http-event.ts";

export interface LambdaHttpOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** A larger body is answered 413 before it is read to its end. */
  readonly bodyBytesMax: number;
  /** From the first byte of a request to its last; slower senders are cut off with 408. */
  readonly requestTimeoutMs: number;
  /** How long close() lets running requests finish before it cuts them off. */
  readonly closeGraceMs: number;
  readonly handler: (
    event: APIGatewayProxyEventV2,
    context: Context,
  ) => Promise<APIGatewayProxyStructuredResultV2>;
}

export interface LambdaHttpServer {
  readonly host: string;
  readonly port: number;
  /** `http://host:port` */
  readonly url: string;
  /** Takes no new connections, lets running requests finish. May be called again. */
  close(): Promise<void>;
}

const CONNECTIONS_MAX = 512;
/** All bodies being received, in bytes: what strangers can make the process hold at once. */
const BUFFERED_BYTES_MAX = 256 * 2 ** 20;

/** Listens when it resolves; rejects when the address is taken. */
export const startLambdaHttpServer = async (
  options: LambdaHttpOptions,
): Promise<LambdaHttpServer> => {
  const memory = { bufferedBytes: 0 };
  const server = createServer(
    {
      headersTimeout: options.requestTimeoutMs,
      requestTimeout: options.requestTimeoutMs,
      connectionsCheckingInterval: Math.max(100, Math.floor(options.requestTimeoutMs / 4)),
      keepAliveTimeout: 5_000,
    },
    (request, response) => void answer(options, memory, request, response),
  );
  server.maxConnections = CONNECTIONS_MAX;
  await listen(server, options);
  const { port } = server.address() as AddressInfo;
  const urlHost = options.host.includes(":") ? `[${options.host}]` : options.host;
  let closing: Promise<void> | null = null;
  return {
    host: options.host,
    port,
    url: `http://${urlHost}:${port}`,
    close: () => {
      closing ??= close(server, options.closeGraceMs);
      return closing;
    },
  };
};

const listen = (server: Server, { host, port }: LambdaHttpOptions): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.off("error", reject);
      resolve();
    });
  });

const close = (server: Server, graceMs: number): Promise<void> =>
  new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });

interface Memory {
  bufferedBytes: number;
}

const answer = async (
  options: LambdaHttpOptions,
  memory: Memory,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> => {
  let heldBytes = 0;
  const hold = (bytes: number): void => {
    heldBytes += bytes;
    memory.bufferedBytes += bytes;
    if (memory.bufferedBytes > BUFFERED_BYTES_MAX) throw BUSY;
  };
  try {
    const body = await readRequest(request, options.bodyBytesMax, hold);
    const event = toEvent(request, body, { requestId: randomUUID(), nowMs: Date.now() });
    const result = await options.handler(event, createContext(event));
    write(response, result);
  } catch (error) {
    // The sender went away, or was cut off by the server's own time limit: nobody is left to tell.
    if (response.destroyed || response.headersSent) return;
    // What is left of the body is not read: the connection can't be used again.
    response.setHeader("connection", "close");
    write(response, renderProblem(error instanceof HttpProblem ? error.details : FAILED.details));
  } finally {
    memory.bufferedBytes -= heldBytes;
  }
};

const BUSY = new HttpProblem({
  status: 503,
  code: "busy",
  detail: "Too much is being received.",
  headers: { "retry-after": "5" },
});
const FAILED = new HttpProblem({ status: 500, code: "internal", detail: "An internal error." });

const readRequest = async (
  request: IncomingMessage,
  bytesMax: number,
  hold: (bytes: number) => void,
): Promise<Buffer> => {
  const tooLarge = new HttpProblem({
    status: 413,
    code: "body-too-large",
    detail: `The body may have ${bytesMax} bytes.`,
  });
  if (Number(request.headers["content-length"] ?? 0) > bytesMax) throw tooLarge;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.byteLength;
    if (length > bytesMax) throw tooLarge;
    hold(chunk.byteLength);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
};

const write = (response: ServerResponse, result: APIGatewayProxyStructuredResultV2): void => {
  const { statusCode = 200, headers = {}, cookies = [], body = "", isBase64Encoded } = result;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, `${value}`);
  if (cookies.length > 0) response.setHeader("set-cookie", cookies);
  response.writeHead(statusCode);
  response.end(Buffer.from(body, isBase64Encoded === true ? "base64" : "utf8"));
};
