import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { afterEach, expect, test, vi } from "vitest";
import { type LambdaHttpOptions, startLambdaHttpServer } from "./lambda-http-server.ts";

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

const start = async (options: Partial<LambdaHttpOptions> = {}) => {
  const events: APIGatewayProxyEventV2[] = [];
  const server = await startLambdaHttpServer({
    host: "127.0.0.1",
    port: 0,
    bodyBytesMax: 1_000,
    requestTimeoutMs: 5_000,
    closeGraceMs: 5_000,
    handler: async (event) => {
      events.push(event);
      return { statusCode: 200, body: "fine" };
    },
    ...options,
  });
  stops.push(server.close);
  return { server, events };
};

/** Writes raw bytes and gives everything that comes back until the connection ends. */
const talk = (port: number, ...pieces: readonly string[]): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      for (const piece of pieces) socket.write(piece);
    });
    let answer = "";
    socket.on("data", (data) => {
      answer += data.toString();
    });
    // A server that stops reading resets the connection after its answer.
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(answer));
  });

test("a request becomes an event of payload format 2.0, its body unchanged", async () => {
  const { server, events } = await start();
  const body = Buffer.from([0xef, 0xbb, 0xbf, 0x00, 0xff, 0x7b]);
  await fetch(`${server.url}/hooks/a%20b/c?x=1&x=2&y=`, {
    method: "POST",
    headers: [
      ["X-Twice", "one"],
      ["Cookie", "a=1; b=2"],
    ],
    body,
  });
  const event = events[0];
  expect(event).toMatchObject({
    version: "2.0",
    rawPath: "/hooks/a%20b/c",
    rawQueryString: "x=1&x=2&y=",
    queryStringParameters: { x: "1,2", y: "" },
    cookies: ["a=1", "b=2"],
    isBase64Encoded: true,
    headers: { "x-twice": "one", "content-length": "6" },
    requestContext: { http: { method: "POST", path: "/hooks/a%20b/c", sourceIp: "127.0.0.1" } },
  });
  expect(Buffer.from(`${event?.body}`, "base64").equals(body)).toBe(true);
});

test("44: a header sent twice arrives as both values, not as the first", async () => {
  const { server, events } = await start();
  const request = ["GET / HTTP/1.1", "Host: x", "X-Signature: a", "X-Signature: b"];
  await talk(server.port, `${request.join("\r\n")}\r\nConnection: close\r\n\r\n`);
  expect(events[0]?.headers["x-signature"]).toBe("a,b");
});

test("the handler's status, headers, cookies and body are answered", async () => {
  const { server } = await start({
    handler: async () => ({
      statusCode: 202,
      headers: { "content-type": "application/json", "x-count": 3 },
      cookies: ["a=1", "b=2"],
      body: Buffer.from([1, 2, 255]).toString("base64"),
      isBase64Encoded: true,
    }),
  });
  const answer = await fetch(server.url);
  expect(answer.status).toBe(202);
  expect(answer.headers.get("x-count")).toBe("3");
  expect(answer.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
  expect([...new Uint8Array(await answer.arrayBuffer())]).toEqual([1, 2, 255]);
});

test("46: a body that says it is too large is refused before it is sent", async () => {
  const { server, events } = await start();
  const answer = await talk(
    server.port,
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n",
  );
  expect(answer).toMatch(/^HTTP\/1.1 413 /);
  expect(answer).toContain("application/problem+json");
  expect(events).toEqual([]);
});

test("46: a body in chunks is cut at the limit, whatever follows", async () => {
  const { server, events } = await start();
  const chunk = `190\r\n${"x".repeat(400)}\r\n`;
  const head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  expect(await talk(server.port, head, chunk, chunk, chunk)).toMatch(/^HTTP\/1.1 413 /);
  expect(events).toEqual([]);
});

test("46: a slow sender is cut off, in the headers and in the body", async () => {
  const { server, events } = await start({ requestTimeoutMs: 300 });
  const startedAtMs = performance.now();
  const answers = await Promise.all([
    talk(server.port, "POST / HTTP/1.1\r\nHos"),
    talk(server.port, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"),
  ]);
  expect(performance.now() - startedAtMs).toBeLessThan(4_000);
  for (const answer of answers) expect(answer).toMatch(/^(HTTP\/1.1 408 |$)/);
  expect(events).toEqual([]);
});

test("a handler that throws is answered 500 without a word of why", async () => {
  const { server } = await start({ handler: () => Promise.reject(new Error("the password is x")) });
  const answer = await fetch(server.url);
  expect(answer.status).toBe(500);
  expect(await answer.text()).not.toContain("password");
});

test("close lets a running request finish and takes no new one", async () => {
  const gate = Promise.withResolvers<void>();
  const entered = vi.fn();
  const { server } = await start({
    handler: async () => {
      entered();
      await gate.promise;
      return { statusCode: 200, body: "finished" };
    },
  });
  const running = fetch(server.url);
  await vi.waitFor(() => expect(entered).toHaveBeenCalled());
  const closed = server.close();
  await expect(fetch(server.url)).rejects.toThrow();
  gate.resolve();
  expect(await (await running).text()).toBe("finished");
  await closed;
});

test("close cuts off what outlives its grace", async () => {
  const entered = vi.fn();
  const { server } = await start({
    closeGraceMs: 100,
    handler: () => {
      entered();
      return new Promise(() => undefined);
    },
  });
  const running = new Promise((resolve) => {
    httpRequest(server.url).on("error", resolve).end();
  });
  await vi.waitFor(() => expect(entered).toHaveBeenCalled());
  await server.close();
  expect(await running).toBeInstanceOf(Error);
});

test("an address that is taken is an error at the start", async () => {
  const { server } = await start();
  await expect(start({ port: server.port })).rejects.toThrow("EADDRINUSE");
});
