/** An engine that comes and goes, played by a server on a socket of its own. */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { connectDocker } from "./docker-engine.ts";

let directory = "";
let socketPath = "";
const servers: Server[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "docker-streams-"));
  socketPath = join(directory, "docker.sock");
});
afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  await rm(directory, { recursive: true });
});

const listen = async (listener: RequestListener): Promise<Server> => {
  const server = createServer(listener).listen(socketPath);
  servers.push(server);
  await once(server, "listening");
  return server;
};

const line = (name: string, seconds: number) =>
  `${JSON.stringify({
    Type: "container",
    Action: "start",
    Actor: { ID: "1", Attributes: { name, project: "shop" } },
    timeNano: seconds * 1e9,
  })}\n`;

test("events go on when the engine restarts, asking from the last one seen", async () => {
  const stop = new AbortController();
  const asked: URL[] = [];
  const seen: string[] = [];
  const first = await listen((request, response) => {
    asked.push(new URL(request.url ?? "", "http://x"));
    response.write(line("one", 1_700_000_000));
    // Half a line, then the engine dies.
    response.write('{"Action":', () => response.destroy());
  });
  const following = (async () => {
    const { events } = connectDocker({ socketPath });
    for await (const event of events({ project: "shop" }, stop.signal)) seen.push(event.name);
  })();
  await expect.poll(() => seen.length).toBeGreaterThan(0);
  first.close();
  await expect.poll(() => first.listening).toBe(false);
  seen.length = 0;
  await listen((request, response) => {
    asked.push(new URL(request.url ?? "", "http://x"));
    response.write(line("two", 1_700_000_001));
  });
  await expect.poll(() => seen, { timeout: 10_000 }).toContain("two");
  expect(asked[0]?.searchParams.get("since")).toBeNull();
  expect(asked.at(-1)?.searchParams.get("since")).toBe("1700000000");
  expect(JSON.parse(asked[0]?.searchParams.get("filters") ?? "")).toEqual({
    type: ["container"],
    label: ["project=shop"],
  });
  stop.abort();
  await following;
});

test("an engine that hangs is given up at the caller's signal", async () => {
  await listen(() => {});
  const stop = new AbortController();
  const reason = new Error("stop");
  const asking = connectDocker({ socketPath }).inspect("web", stop.signal);
  stop.abort(reason);
  await expect(asking).rejects.toBe(reason);
});

test.for([
  [400, "invalid mount config: bind source path does not exist: /x", "mount-source-missing"],
  [400, 'exec: "nope": executable file not found in $PATH: unknown', "command-not-runnable"],
  [409, "Conflict. The container name is already in use", "docker-conflict"],
  [400, "something else", "docker-refused"],
] as const)("%i %s is terminal", async ([status, message, code]) => {
  await listen((_request, response) => response.writeHead(status).end(JSON.stringify({ message })));
  const starting = connectDocker({ socketPath }).startContainer("web", AbortSignal.timeout(5_000));
  await expect(starting).rejects.toMatchObject({ name: "TerminalError", code });
});

test("a failure of the engine itself is transient", async () => {
  await listen((_request, response) => response.writeHead(500).end('{"message":"no space left"}'));
  const starting = connectDocker({ socketPath }).startContainer("web", AbortSignal.timeout(5_000));
  await expect(starting).rejects.toMatchObject({ name: "RetryableError", code: "docker-failed" });
});
