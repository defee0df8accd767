/** What a Caddy does when an edge tells it of other names: the one that Debian has, and a newer one. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { connectCaddy } from "../../adapters/caddy-admin.ts";
import { type CaddySite, renderCaddyApps } from "../../adapters/caddy-config.ts";
import { EDGE_PACKAGES, ensureDebianPackages } from "../../infra/lab/debian-packages.ts";
import { findFreePort } from "../../infra/lab/free-port.ts";
import { ensurePythonPrograms } from "../../infra/lab/python-programs.ts";
import { waitUntil } from "../../infra/lab/wait-until.ts";

const signal = AbortSignal.timeout(300_000);
const HOST = "127.0.0.1";
const NEWER = "2.11.7";

let directory: string;
let httpPort: number;
let container: Server;
let caddy: ChildProcess;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "bagage-caddy-"));
  httpPort = await findFreePort(HOST);
  // Takes every upgrade, and says what it hears.
  container = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => {
      socket.write(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n",
      );
      socket.pipe(socket);
    });
  });
  container.listen(join(directory, "container.sock"));
  await once(container, "listening");
});
afterEach(async () => {
  const exited = once(caddy, "exit");
  caddy.kill("SIGKILL");
  await exited;
  container.close();
  rmSync(directory, { recursive: true });
});

const start = async (program: string) => {
  const socket = join(directory, "admin.sock");
  const config = join(directory, "caddy.json");
  writeFileSync(config, JSON.stringify({ admin: { listen: `unix/${socket}` } }));
  const env = { ...process.env, HOME: directory, XDG_DATA_HOME: directory };
  caddy = spawn(program, ["run", "--config", config], { env, stdio: "ignore" });
  const admin = connectCaddy(`unix:${socket}`);
  await waitUntil(
    async () => (await admin.listServers(signal).catch(() => undefined)) !== undefined || undefined,
    { what: "Caddy", timeoutMs: 30_000 },
    signal,
  );
  return admin;
};
const appsFor = (keepsStreams: boolean, ...hosts: string[]) => {
  const socket = join(directory, "container.sock");
  const sites = hosts.map((host): CaddySite => ({ host, path: "/", socket }));
  const settings = { httpPort, httpsPort: httpPort + 1, tls: "off" as const, keepsStreams };
  return renderCaddyApps(sites, settings).apps;
};
const openStream = async (): Promise<Socket> => {
  const headers = { host: "a.org", connection: "upgrade", upgrade: "echo" };
  const sent = request({ host: HOST, port: httpPort, headers }).end();
  const [, socket] = (await once(sent, "upgrade", { signal })) as [unknown, Socket];
  socket.on("error", () => undefined);
  return socket;
};
const echo = async (socket: Socket, word: string): Promise<string> => {
  socket.write(word);
  const [heard] = (await once(socket, "data", { signal })) as [Buffer];
  return heard.toString();
};

test("a newer Caddy keeps a WebSocket when names come and go, its own among them", async () => {
  const programs = await ensurePythonPrograms(`caddy-${NEWER}`, [`caddyserver==${NEWER}`], signal);
  const admin = await start(join(programs, "caddy"));
  await admin.setApps(appsFor(true, "a.org"), signal);
  const socket = await openStream();
  expect(await echo(socket, "before")).toBe("before");
  for (const hosts of [["a.org", "b.org"], ["b.org"]]) {
    await admin.setApps(appsFor(true, ...hosts), signal);
    expect(await echo(socket, hosts.join())).toBe(hosts.join());
  }
  socket.destroy();
});

test("Debian's Caddy says that it is too old for that, and serves the names all the same", async () => {
  await ensureDebianPackages(EDGE_PACKAGES, signal);
  const admin = await start("caddy");
  await expect(admin.setApps(appsFor(true, "a.org"), signal)).rejects.toMatchObject({
    code: "caddy-old",
  });
  expect(await admin.listServers(signal)).toEqual([]);
  await admin.setApps(appsFor(false, "a.org"), signal);
  const socket = await openStream();
  expect(await echo(socket, "before")).toBe("before");
  const ended = once(socket, "close", { signal });
  await admin.setApps(appsFor(false, "a.org", "b.org"), signal);
  await ended;
});
