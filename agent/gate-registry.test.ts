import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Door, openDoor } from "../adapters/door.ts";
import { enterDoor } from "../adapters/enter-door.ts";
import { ContainerName, Epoch, ProjectId } from "../workflows/ids.ts";
import { createGateRegistry, type GateRegistry } from "./gate-registry.ts";

const HOST = "127.0.0.1";
const SHOP = ProjectId.parse("shop");
const WEB = ContainerName.parse("web");
const signal = AbortSignal.timeout(60_000);
let container: Server;
let door: Door;
let gates: GateRegistry;
let hostPort: number;

const portOf = (server: Server): number => {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
};

const listen = async (server: Server): Promise<number> => {
  server.listen(0, HOST);
  await once(server, "listening");
  return portOf(server);
};

/** A container that echoes, its published port and the door. */
beforeEach(async () => {
  container = createServer((socket) => socket.on("error", () => {}).pipe(socket));
  const port = await listen(container);
  const free = createServer();
  hostPort = await listen(free);
  await once(free.close(), "close");
  door = await openDoor(HOST, 0);
  gates = createGateRegistry(door);
  const target = { address: HOST, port };
  await gates.open({
    ...{ project: SHOP, container: WEB, epoch: Epoch.parse(1), stopGraceMs: 60_000 },
    orders: [{ id: "web", hostAddress: HOST, hostPort, target }],
    inside: { address: HOST, ports: [port] },
  });
});
afterEach(async () => {
  gates.cut(SHOP, WEB);
  await gates.closeAll();
  container.close();
});

const talk = async (socket: Socket): Promise<Socket> => {
  socket.on("error", () => {}).write("x");
  await once(socket.resume(), "data");
  return socket;
};
const atPort = () => talk(connect({ host: HOST, port: hostPort }));
const atDoor = async () => {
  const port = portOf(container);
  const wanted = { project: SHOP, container: WEB, port, kind: "request" } as const;
  return talk(await enterDoor({ address: HOST, port: door.port }, wanted, signal));
};

test("a drain waits for who came through the door, and for nobody at the published port", async () => {
  const [direct, inside] = [await atPort(), await atDoor()];
  let isDrained = false;
  const drained = gates.drain(SHOP, WEB, 60_000).then(() => {
    isDrained = true;
  });
  expect(gates.list()).toEqual([]);
  await talk(direct);
  await talk(inside);
  expect(isDrained).toBe(false);
  inside.end();
  await drained;
  await talk(direct);
});

test("30: a cut resets everybody at once, also those whom a drain still lets end", async () => {
  const before = [await atPort(), await atDoor()];
  const cutOff = before.map((socket) => once(socket, "error"));
  gates.close(SHOP, WEB);
  gates.cut(SHOP, WEB);
  for (const [error] of await Promise.all(cutOff)) {
    expect(error).toMatchObject({ code: "ECONNRESET" });
  }
  await expect(atDoor()).rejects.toMatchObject({ code: "door-closed" });
});
