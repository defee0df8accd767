import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import pLimit from "p-limit";
import { afterEach, expect, test } from "vitest";
import { type Door, openDoor } from "../../adapters/door.ts";
import type { DoorPreface } from "../../adapters/door-preface.ts";
import { enterDoor } from "../../adapters/enter-door.ts";
import { ContainerName, ProjectId } from "../../workflows/ids.ts";
import { type HeldRoute, holdClient } from "./hold-client.ts";
import { createLocator } from "./locate.ts";

const HOST = "127.0.0.1";
const servers: Server[] = [];
const doors: Door[] = [];

afterEach(async () => {
  await Promise.all(doors.splice(0).map((door) => door.close(0)));
  for (const server of servers.splice(0)) server.close();
});

const serve = async (onSocket: (socket: Socket) => void): Promise<number> => {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    socket.on("error", () => {});
    onSocket(socket);
  });
  servers.push(server);
  server.listen(0, HOST);
  await once(server, "listening");
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
};

/** An echo behind a door that is still closed, and a port of an edge that leads there. */
const scene = async (kind: DoorPreface["kind"], holdMs: number) => {
  const port = await serve(async (socket) => {
    socket.end(await text(socket));
  });
  const door = await openDoor(HOST, 0);
  doors.push(door);
  const searches = { count: 0 };
  const turns = pLimit(2);
  const place = { address: HOST, port: door.port };
  const names = { project: ProjectId.parse("shop"), container: ContainerName.parse("web") };
  const route: HeldRoute = {
    preface: { ...names, port, kind },
    locator: createLocator({
      readPlaces: async () => {
        searches.count += 1;
        return [place];
      },
      knock: async (at, signal) => {
        (await enterDoor(at, { ...names, port, kind: "probe" }, signal)).destroy();
      },
      sleep: (ms, signal) => sleep(ms, undefined, { signal }),
      nowMs: () => performance.now(),
      onError: () => {},
    }),
    entering: turns,
    holdMs,
    sleep: (ms, signal) => sleep(ms, undefined, { signal }),
  };
  const edge = await serve((client) => void holdClient(client, route));
  const dial = () => connect({ host: HOST, port: edge, allowHalfOpen: true }).on("error", () => {});
  return {
    door,
    dial,
    searches,
    turns,
    admit: () => door.admit("shop/web", { address: HOST, ports: [port] }),
  };
};

test("clients who come before the door opens are held, and lose nothing of what they said", async () => {
  const { dial, searches, admit } = await scene("request", 60_000);
  const said = Array.from({ length: 10 }, (_, index) => `${index}`.repeat(200_000));
  const answers = said.map((words) => text(dial().end(words)));
  await expect.poll(() => searches.count).toBeGreaterThan(2);
  admit();
  expect((await Promise.all(answers)).map((answer, index) => answer === said[index])).toEqual(
    said.map(() => true),
  );
});

test("who was held for too long is told in HTTP to come again, whatever he was saying", async () => {
  const { dial } = await scene("request", 0);
  const client = dial();
  client.write("POST / HTTP/1.1\r\ncontent-length: 1000000000\r\n\r\n");
  client.write(Buffer.alloc(1_000_000));
  const answer = await text(client);
  expect(answer).toMatch(/^HTTP\/1\.1 503 /);
  expect(answer).toContain("\r\nRetry-After: 5\r\n");
  const [head = "", body = ""] = answer.split("\r\n\r\n");
  expect(head).toContain(`Content-Length: ${body.length}`);
  client.destroy();
});

// Waiting for a turn did not end with the hold: on an overrun machine clients waited for minutes.
test("who waits for his turn to enter is told too when his time is up", async () => {
  const { admit, dial, turns } = await scene("request", 0);
  const never = Promise.withResolvers<void>();
  const busy = Array.from({ length: 2 }, () => turns(() => never.promise));
  admit();
  expect(await text(dial())).toMatch(/^HTTP\/1\.1 503 /);
  never.resolve();
  await Promise.all(busy);
});

test("a TCP client who was held for too long is cut off with a reset", async () => {
  const { dial } = await scene("stream", 0);
  const [error] = await once(dial().resume(), "error");
  expect(error).toMatchObject({ code: "ECONNRESET" });
});

test("a door that closes again is not entered, and the next one to open is", async () => {
  const { door, dial, searches, admit } = await scene("stream", 60_000);
  admit();
  expect(await text(dial().end("one"))).toBe("one");
  door.refuse("shop/web", 60_000);
  const before = searches.count;
  const second = text(dial().end("two"));
  await expect.poll(() => searches.count).toBeGreaterThan(before + 1);
  admit();
  expect(await second).toBe("two");
});
