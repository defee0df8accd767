/** What the two small servers have in common: JSON in and out, and a clean end on SIGTERM. */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";

const PORT = 8080;
const BODY_BYTES_MAX = 64 * 1024;

export const reply = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(`${JSON.stringify(body)}\n`);
};

export const readJson = async (request: IncomingMessage): Promise<Record<string, unknown>> => {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    parts.push(part);
    bytes += part.length;
    if (bytes > BODY_BYTES_MAX) throw new Error("The body is too large");
  }
  const value: unknown = JSON.parse(Buffer.concat(parts).toString("utf8"));
  if (typeof value !== "object" || value === null) throw new Error("The body is not an object");
  return value as Record<string, unknown>;
};

/** Serves until SIGTERM or SIGINT; then answers what is under way, and closes the data. */
export const serve = (
  handle: (...args: Parameters<RequestListener>) => Promise<void>,
  close: () => void | Promise<void>,
): Server => {
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      console.error(error);
      if (response.headersSent) response.destroy();
      else reply(response, 500, { error: error instanceof Error ? error.message : "unknown" });
    });
  });
  server.listen(PORT, () => console.log(`Listening on ${PORT}`));
  const stop = () => {
    server.close(async () => {
      await close();
      process.exit(0);
    });
    server.closeIdleConnections();
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  return server;
};
