import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { buffer, text } from "node:stream/consumers";
import { afterEach, expect, test } from "vitest";
import { type Gate, type GateOrder, openGate } from "./gate.ts";

const HOST = "127.0.0.1";
const servers: Server[] = [];
const gates: Gate[] = [];

afterEach(async () => {
  await Promise.all(gates.splice(0).map((gate) => gate.close(0)));
  for (const server of servers.splice(0)) server.close();
});

const serve = async (onSocket: (socket: Socket) => void): Promise<number> => {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    onSocket(socket);
  });
  servers.push(server);
  server.listen(0, HOST);
  await once(server, "listening");
  return portOf(server);
};

const portOf = (server: Server): number => {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
};

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, HOST);
  await once(server, "listening");
  const port = portOf(server);
  server.close();
  await once(server, "close");
  return port;
};

const orderTo = async (port: number, id = "web@7"): Promise<GateOrder> => ({
  id,
  hostAddress: HOST,
  hostPort: await freePort(),
  target: { address: HOST, port },
});

const open = async (port: number): Promise<Gate> => {
  const gate = await openGate(await orderTo(port));
  gates.push(gate);
  return gate;
};

const dial = (gate: Gate): Socket => {
  const socket = connect({ host: HOST, port: gate.order.hostPort, allowHalfOpen: true });
  socket.on("error", () => {});
  return socket;
};

const isRefused = async (port: number): Promise<boolean> => {
  const socket = connect({ host: HOST, port });
  const [first] = await Promise.race([
    once(socket, "connect").then(() => ["connect"]),
    new Promise<string[]>((resolve) => socket.once("error", () => resolve(["refused"]))),
  ]);
  socket.destroy();
  return first === "refused";
};

test("bytes go through both ways, unchanged, until each side has said its last", async () => {
  const port = await serve((socket) => socket.pipe(socket));
  const client = dial(await open(port));
  const sent = Buffer.alloc(5_000_000, "0123456789");
  client.end(sent);
  expect((await buffer(client)).equals(sent)).toBe(true);
});

test("a client that ended its side still gets the whole answer", async () => {
  const port = await serve(async (socket) => {
    const question = await text(socket);
    socket.end(`answer to ${question}`);
  });
  const client = dial(await open(port));
  client.end("question");
  expect(await text(client)).toBe("answer to question");
});

test("a server that ended its side still hears the client out", async () => {
  const heard = Promise.withResolvers<string>();
  const port = await serve((socket) => {
    socket.end("hello");
    heard.resolve(text(socket));
  });
  const client = dial(await open(port));
  expect(await text(client)).toBe("hello");
  client.end("bye");
  expect(await heard.promise).toBe("bye");
});

test("a slow reader holds the writer back instead of filling the memory", async () => {
  const port = await serve((socket) => socket.pause());
  const client = dial(await open(port));
  await once(client, "connect");
  const chunk = Buffer.alloc(1 << 20);
  // Kernel buffers take some MiB; then nobody takes more.
  let written = 0;
  let isHeld = false;
  while (!isHeld && written < 256) {
    written += 1;
    if (client.write(chunk)) continue;
    const drained = once(client, "drain").then(() => false);
    isHeld = await Promise.race([drained, new Promise<true>((r) => setTimeout(r, 500, true))]);
  }
  expect(written).toBeLessThan(64);
  client.destroy();
});

test("a reset by the container reaches the client as a reset", async () => {
  const port = await serve((socket) => socket.once("data", () => socket.resetAndDestroy()));
  const client = connect({ host: HOST, port: (await open(port)).order.hostPort });
  client.write("x");
  const [error] = await once(client, "error");
  expect(error).toMatchObject({ code: "ECONNRESET" });
});

test("a container that does not listen: the client is cut off, the gate stays", async () => {
  const gate = await open(await freePort());
  const client = dial(gate);
  await new Promise((resolve) => client.once("close", resolve));
  expect(gate.connectionCount()).toBe(0);
  expect(await isRefused(gate.order.hostPort)).toBe(false);
});

test("close refuses new clients at once and resets the old ones", async () => {
  const port = await serve((socket) => socket.pipe(socket));
  const gate = await open(port);
  const client = connect({ host: HOST, port: gate.order.hostPort });
  client.write("x");
  await once(client, "data");
  const failed = once(client, "error");
  await gate.close(0);
  expect(await isRefused(gate.order.hostPort)).toBe(true);
  expect((await failed)[0]).toMatchObject({ code: "ECONNRESET" });
  expect(gate.connectionCount()).toBe(0);
  await gate.close(0);
});

test("close with a grace lets a request end, and cuts what is longer", async () => {
  const port = await serve((socket) => socket.pipe(socket));
  const gate = await open(port);
  const [quick, slow] = [dial(gate), dial(gate)];
  quick.write("q");
  slow.write("s");
  await Promise.all([once(quick, "data"), once(slow, "data")]);
  const startMs = performance.now();
  const closed = gate.close(400);
  quick.end("more");
  expect(await text(quick)).toBe("more");
  expect(await isRefused(gate.order.hostPort)).toBe(true);
  await closed;
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(390);
  slow.destroy();
});

test("a port in use is named, and who to ask", async () => {
  const port = await serve(() => {});
  const order = { ...(await orderTo(1)), hostPort: port };
  await expect(openGate(order)).rejects.toMatchObject({
    name: "TerminalError",
    code: "port-taken",
    message: expect.stringContaining(`${HOST}:${port}`),
    hint: expect.stringContaining(String(port)),
  });
  await expect(openGate({ ...order, hostAddress: "192.0.2.1" })).rejects.toMatchObject({
    code: "address-unknown",
  });
});
