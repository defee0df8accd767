import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, expect, test } from "vitest";
import { ContainerName, ProjectId } from "../workflows/ids.ts";
import { type Door, openDoor } from "./door.ts";
import { type DoorPreface, encodePreface } from "./door-preface.ts";
import { enterDoor } from "./enter-door.ts";

const HOST = "127.0.0.1";
const NAME = "shop/web";
const signal = AbortSignal.timeout(60_000);
const servers: Server[] = [];
const doors: Door[] = [];

afterEach(async () => {
  await Promise.all(doors.splice(0).map((door) => door.close(0)));
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
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
};

const open = async (port: number): Promise<Door> => {
  const door = await openDoor(HOST, 0);
  doors.push(door);
  door.admit(NAME, { address: HOST, ports: [port] });
  return door;
};

const preface = (port: number, kind: DoorPreface["kind"] = "request"): DoorPreface => ({
  project: ProjectId.parse("shop"),
  container: ContainerName.parse("web"),
  port,
  kind,
});

const enter = async (door: Door, wanted: DoorPreface): Promise<Socket> => {
  const socket = await enterDoor({ address: HOST, port: door.port }, wanted, signal);
  return socket.on("error", () => {});
};

const isPending = async (promise: Promise<void>): Promise<boolean> => {
  const pending = new Promise<true>((resolve) => setImmediate(() => setImmediate(resolve, true)));
  return Promise.race([promise.then(() => false), pending]);
};

test("who asks for a container by its name and port is let in, and nobody else", async () => {
  const port = await serve((socket) => socket.end("hello"));
  const door = await open(port);
  expect(await text(await enter(door, preface(port)))).toBe("hello");
  const closed = { name: "RetryableError", code: "door-closed" };
  await expect(enter(door, preface(port + 1))).rejects.toMatchObject(closed);
  const other = { ...preface(port), project: ProjectId.parse("other") };
  await expect(enter(door, other)).rejects.toMatchObject(closed);
});

test("a container that does not listen is no way in", async () => {
  const port = await serve(() => {});
  const door = await open(port);
  await Promise.all(servers.splice(0).map((server) => once(server.close(), "close")));
  await expect(enter(door, preface(port))).rejects.toMatchObject({ code: "door-closed" });
});

test("a probe learns whether the door leads there, and the container hears nothing of it", async () => {
  let calls = 0;
  const port = await serve(() => {
    calls += 1;
  });
  const door = await open(port);
  (await enter(door, preface(port, "probe"))).destroy();
  door.refuse(NAME, 0);
  await expect(enter(door, preface(port, "probe"))).rejects.toMatchObject({ code: "door-closed" });
  expect(calls).toBe(0);
});

test("what no edge says, in one piece or byte by byte, is hung up on", async () => {
  const door = await open(await serve(() => {}));
  const noise = [Buffer.from("GET / HTTP/1.1\r\n\r\n"), Buffer.from("\r\n\r\n\0\r\nQUIT\n!")];
  const long = encodePreface(preface(80));
  long.writeUInt16BE(65_535, 14);
  const early = Buffer.concat([encodePreface(preface(80)), Buffer.from("x")]);
  for (const bytes of [...noise, long, early]) {
    const socket = connect({ host: HOST, port: door.port }).on("error", () => {});
    socket.resume().write(bytes);
    await once(socket, "close");
  }
});

test("a drain lets nobody in, and waits for the requests that were let in before", async () => {
  const sockets: Socket[] = [];
  const port = await serve((socket) => sockets.push(socket));
  const door = await open(port);
  const inside = await enter(door, preface(port));
  inside.write("question");
  await expect.poll(() => sockets.length).toBe(1);
  door.refuse(NAME, 60_000);
  const drained = door.drained(NAME, 60_000);
  await expect(enter(door, preface(port))).rejects.toMatchObject({ code: "door-closed" });
  expect(await isPending(drained)).toBe(true);
  sockets[0]?.end("answer");
  expect(await text(inside)).toBe("answer");
  inside.end();
  await drained;
});

test("a drain ends when its time is up, and cuts whoever is left later", async () => {
  const port = await serve((socket) => socket.resume());
  const door = await open(port);
  const inside = await enter(door, preface(port));
  door.refuse(NAME, 200);
  await door.drained(NAME, 50);
  expect(inside.destroyed).toBe(false);
  const [error] = await once(inside.resume(), "error");
  expect(error).toMatchObject({ code: "ECONNRESET" });
});

test.each([
  ["a WebSocket", "request", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"],
  ["a stream of events", "request", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"],
  ["a TCP client", "stream", "220 ready\r\n"],
] as const)("a drain does not wait for %s", async (_name, kind, first) => {
  const port = await serve((socket) => socket.write(first));
  const door = await open(port);
  const inside = await enter(door, preface(port, kind));
  await once(inside.resume(), "data");
  door.refuse(NAME, 60_000);
  await door.drained(NAME, 60_000);
  expect(inside.destroyed).toBe(false);
});

test("a container that is closed while it is being reached takes nobody in", async () => {
  const port = await serve(() => {});
  const door = await open(port);
  const entering = enter(door, preface(port));
  // The preface arrives first; the connection to the container is under way.
  const socket = connect({ host: HOST, port: door.port });
  await once(socket, "connect");
  door.refuse(NAME, 0);
  await expect(entering).rejects.toMatchObject({ code: "door-closed" });
  await door.drained(NAME, 60_000);
  socket.destroy();
});
