/** What is said to Caddy, to a server that answers as Caddy 2.6 does. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { connectCaddy } from "./caddy-admin.ts";

const signal = AbortSignal.timeout(60_000);

/** As `caddy run` without a file: its configuration is null until it is given one. */
const startFreshCaddy = async () => {
  let config: { apps?: unknown } | null = null;
  const server = createServer(async (request, response) => {
    const content: unknown = JSON.parse(await text(request));
    if (request.url === "/config/") config = content as { apps?: unknown };
    else if (config === null) {
      response.statusCode = 400;
      response.end('{"error":"invalid traversal path at: config/apps"}\n');
      return;
    } else config = { ...config, apps: content };
    response.end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, config: () => config, close: () => server.close() };
};

test("a Caddy that was never configured is given its first sites, and the next ones", async () => {
  const server = await startFreshCaddy();
  const caddy = connectCaddy(server.url);
  await caddy.setApps({ http: { servers: { a: {} } } }, signal);
  expect(server.config()).toEqual({ apps: { http: { servers: { a: {} } } } });
  await caddy.setApps({ http: { servers: { b: {} } } }, signal);
  expect(server.config()).toEqual({ apps: { http: { servers: { b: {} } } } });
  server.close();
});
