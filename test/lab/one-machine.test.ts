/**
 * `bagage up --edge` as a new user would try it: the shortest file, restore points, what commands say,
 * and a name that answers through a redeploy.
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectDocker } from "../../adapters/docker-engine.ts";
import { runCommand } from "../../infra/lab/command.ts";
import type { Lab, LabNode } from "../../infra/lab/connect-lab.ts";
import { EDGE_PACKAGES, ensureDebianPackages } from "../../infra/lab/debian-packages.ts";
import { layEdge } from "../../infra/lab/edge-processes.ts";
import { attachOrStartLab, FULL_LAB } from "../../infra/lab/lab.ts";
import { createRepository, type Repository } from "../../infra/lab/repository.ts";
import { waitUntil } from "../../infra/lab/wait-until.ts";

const MAIN = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));
const PROJECT = "alone";
const NAMED = "named";
const START_TIMEOUT_MS = 60_000;
const signal = AbortSignal.timeout(600_000);
const run = promisify(execFile);

let lab: Lab;
let node: LabNode;
let directory: string;
let environment: Record<string, string>;
let repository: Repository;
let up: ReturnType<typeof spawn>;
let caddy: ReturnType<typeof spawn>;
let httpPort: number;

/** The product's own example, with a command that leaves a trace and stops when it is asked to. */
const file = (word: string) => `conteneur:
    image: busybox
    command: ["sh", "-c", "trap 'exit 0' TERM; echo ${word} >> /var/lib/data/log; while :; do sleep 0.1 & wait $$!; done"]
    volumes:
    - name: mes_data
      path: /var/lib/data
`;

const bagage = async (...argv: string[]) => {
  const [program, ...rest] = node.nsenter([process.execPath, MAIN, ...argv]);
  try {
    const { stdout, stderr } = await run(program, rest, { env: environment });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
};

/** Where the running container's volume is. */
const liveData = async (): Promise<string> => {
  const { containers } = JSON.parse((await bagage("status", PROJECT, "--json")).stdout) as {
    containers: Record<string, { epoch: number }>;
  };
  const [epoch] = Object.values(containers).map((container) => container.epoch);
  return join(directory, "node", "volumes", PROJECT, "mes_data", `live-e${epoch}`, "data");
};

beforeAll(async () => {
  lab = await attachOrStartLab(FULL_LAB, console.log, signal);
  const [first] = lab.nodes;
  if (first === undefined) throw new Error("the lab has no node");
  node = first;
  directory = join(node.directory, `alone-${process.pid}`);
  mkdirSync(directory, { recursive: true });
  environment = {
    PATH: process.env["PATH"] ?? "",
    HOME: directory,
    BAGAGE_STORE: `file:${join(directory, "store")}`,
    BAGAGE_NODE: `alone-${process.pid}`,
    BAGAGE_NODE_ROOT: join(directory, "node"),
    BAGAGE_DOCKER_SOCKET: node.dockerSocket,
    BAGAGE_ALLOW_LOCAL_REPOSITORIES: "true",
  };
  repository = await createRepository(join(directory, "git"), null);
  await ensureDebianPackages(EDGE_PACKAGES, signal);
  const edge = await layEdge({ directory, name: PROJECT, tls: "off", index: 8 });
  httpPort = edge.address.port;
  Object.assign(environment, edge.environment, { XDG_DATA_HOME: directory });
  const [front = "", ...caddyArgv] = node.nsenter(edge.caddyArgv as [string, ...string[]]);
  caddy = spawn(front, caddyArgv, { env: environment, stdio: "ignore" });
  const [program, ...rest] = node.nsenter([process.execPath, MAIN, "up", "--edge"]);
  up = spawn(program, rest, { env: environment, stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  up.stdout?.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  await waitUntil(
    async () =>
      ["node.started", "serve.listening", "edge.started"].every((word) => said.includes(word))
        ? true
        : undefined,
    { what: "bagage up", timeoutMs: START_TIMEOUT_MS },
    signal,
  );
});
afterAll(async () => {
  for (const child of [up, caddy]) {
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    await exited;
  }
  const docker = connectDocker({ socketPath: node.dockerSocket });
  for (const project of [PROJECT, NAMED]) {
    for (const { name } of await docker.listContainers({ "bagage.project": project }, signal)) {
      await docker.removeContainer(name, signal);
    }
  }
  await lab.stop(signal);
});

test("doctor finds everything in order", async () => {
  expect(await bagage("doctor")).toMatchObject({ code: 0 });
});

test("wrong use says what to do, with its exit code", async () => {
  expect(await bagage("frobnicate")).toMatchObject({ code: 2 });
  const unknown = await bagage("status", "nobody");
  expect(unknown).toMatchObject({
    code: 3,
    stderr: expect.stringContaining("bagage project add nobody"),
  });
});

test("the first deploy, a second one, and back to the first restore point", async () => {
  await repository.push({ Deliverous: file("one") }, "One");
  expect(await bagage("project", "add", PROJECT, "--repository", repository.url)).toMatchObject({
    code: 0,
  });
  expect(await bagage("project", "add", PROJECT, "--repository", repository.url)).toMatchObject({
    code: 4,
  });
  expect(await bagage("deploy", PROJECT)).toMatchObject({ code: 0 });
  expect((await bagage("deploy", PROJECT)).stdout).toContain("nothing to change");
  expect(JSON.parse((await bagage("project", "list", "--json")).stdout)).toMatchObject([
    { project: PROJECT, repository: repository.url, deploy: { result: "unchanged" } },
  ]);
  await repository.push({ Deliverous: file("two") }, "Two");
  expect(await bagage("deploy", PROJECT)).toMatchObject({ code: 0 });
  await repository.push({ Deliverous: file("three") }, "Three");
  expect(await bagage("deploy", PROJECT)).toMatchObject({ code: 0 });

  const listed = await bagage("snapshots", PROJECT, "mes_data", "--json");
  const [first] = JSON.parse(listed.stdout) as { id: string }[];
  const restore = ["deploy", PROJECT, "--restore", `mes_data=${first?.id}`];
  expect(await bagage(...restore)).toMatchObject({
    code: 1,
    stdout: expect.stringContaining("--accept-loss"),
  });
  expect(await bagage(...restore, "--accept-loss")).toMatchObject({ code: 0 });
  expect(readFileSync(join(await liveData(), "log"), "utf8")).toBe("one\nthree\n");
});

test("restore points are listed, read, compared, verified and brought to a directory", async () => {
  expect((await bagage("cat", PROJECT, "mes_data", "log")).stdout).toBe("one\n");
  expect(await bagage("verify", PROJECT, "mes_data", "--read-data")).toMatchObject({ code: 0 });
  expect(await bagage("gc", PROJECT)).toMatchObject({ code: 0 });
  const out = join(directory, "out");
  expect(await bagage("restore", PROJECT, "mes_data", out)).toMatchObject({ code: 0 });
  expect(readFileSync(join(out, "log"), "utf8")).toBe("one\n");
  expect(await bagage("restore", PROJECT, "mes_data", out)).toMatchObject({ code: 4 });
});

test("files, folders and the whole volume come back as they were at a point in time", async () => {
  const live = await liveData();
  mkdirSync(join(live, "photos"));
  writeFileSync(join(live, "photos", "a b.txt"), "a photo");
  expect(await bagage("snapshot", "now", PROJECT, "--wait")).toMatchObject({ code: 0 });
  rmSync(join(live, "photos"), { recursive: true });
  writeFileSync(join(live, "later"), "later");
  expect(await bagage("snapshot", "now", PROJECT, "--wait")).toMatchObject({ code: 0 });
  const listed = await bagage("snapshots", PROJECT, "mes_data", "--json");
  const [then, now] = (JSON.parse(listed.stdout) as { id: string }[])
    .slice(-2)
    .map(({ id }) => `mes_data@${id}`);
  if (then === undefined || now === undefined) throw new Error(listed.stdout);

  const { stdout: difference } = await bagage("diff", PROJECT, then, now);
  expect(difference).toMatch(/later/);
  expect(difference).toMatch(/photos\/a b\.txt/);
  expect((await bagage("ls", PROJECT, then)).stdout).toContain("photos/a b.txt");
  expect((await bagage("cat", PROJECT, then, "photos/a b.txt")).stdout).toBe("a photo");
  expect(await bagage("cat", PROJECT, now, "photos/a b.txt")).toMatchObject({ code: 3 });
  const [file, folder] = [join(directory, "copied"), join(directory, "copied-photos")];
  expect(await bagage("cp", PROJECT, then, "photos/a b.txt", file)).toMatchObject({ code: 0 });
  expect(readFileSync(file, "utf8")).toBe("a photo");
  expect(await bagage("cp", PROJECT, then, "photos/a b.txt", file)).toMatchObject({ code: 4 });
  expect(await bagage("cp", PROJECT, then, "photos", folder)).toMatchObject({ code: 0 });
  expect(readFileSync(join(folder, "a b.txt"), "utf8")).toBe("a photo");

  expect(await bagage("restore", PROJECT, then)).toMatchObject({
    code: 4,
    stderr: expect.stringMatching(/1 files? of [\s\S]*--accept-loss/),
  });
  expect(await bagage("restore", PROJECT, then, "--accept-loss")).toMatchObject({ code: 0 });
  const restored = await liveData();
  expect(readFileSync(join(restored, "photos", "a b.txt"), "utf8")).toBe("a photo");
  expect(existsSync(join(restored, "later"))).toBe(false);
});

test("the process is healthy and ready, and has counted its deploys", async () => {
  const ask = async (path: string) => {
    const script = `fetch("http://127.0.0.1:7480${path}").then(async (r) => console.log(r.status, await r.text()))`;
    return runCommand(node.nsenter([process.execPath, "-e", script]), {}, signal);
  };
  expect(await ask("/health")).toBe("200 ok\n\n");
  expect(await ask("/ready")).toBe("200 ready\n\n");
  const numbers = await ask("/metrics");
  expect(numbers).toMatch(/bagage_deploys_total\{result="deployed"\} [1-9]/);
  expect(numbers).toContain('bagage_store_request_seconds_count{operation="create",outcome="ok"}');
});

const namedFile = (word: string) => `named:
    image: busybox
    command: ["sh", "-c", "trap 'exit 0' TERM; echo ${word} > /var/lib/data/index.html; httpd -f -p 8080 -h /var/lib/data & wait"]
    domains:
    - domain: named.example.org
      port: 8080
    volumes:
    - name: pages
      path: /var/lib/data
`;

/** Asks the name again and again until it is killed; a line with status and body for each answer. */
const ASKER = `const http = require("node:http");
const ask = () => {
  const sent = http.get(
    { host: "127.0.0.1", port: Number(process.argv[1]), headers: { host: "named.example.org" } },
    (response) => {
      let body = "";
      response.on("data", (data) => (body += data));
      response.on("end", () => (console.log(response.statusCode, body.trim()), ask()));
    },
  );
  sent.on("error", (error) => (console.log("failed", error.code), ask()));
};
ask();`;

test("a name is served, and no request to it fails while its container is replaced", async () => {
  const pages = await createRepository(join(directory, "git-named"), null);
  await pages.push({ Deliverous: namedFile("one") }, "One");
  await bagage("project", "add", NAMED, "--repository", pages.url);
  expect(await bagage("deploy", NAMED)).toMatchObject({ code: 0 });
  const [program = "", ...rest] = node.nsenter([process.execPath, "-e", ASKER, String(httpPort)]);
  const asker = spawn(program, rest, { stdio: ["ignore", "pipe", "inherit"] });
  const heard: string[] = [];
  createInterface({ input: asker.stdout }).on("line", (line) => heard.push(line));
  const until = (line: string) =>
    waitUntil(
      async () => (heard.includes(line) ? true : undefined),
      { what: `the answer ${line}`, timeoutMs: START_TIMEOUT_MS },
      signal,
    );
  try {
    // Caddy is told of the name soon after the deploy; it answers 404 to those it does not know.
    await until("200 one");
    heard.splice(0);
    await pages.push({ Deliverous: namedFile("two") }, "Two");
    expect(await bagage("deploy", NAMED)).toMatchObject({ code: 0 });
    await until("200 two");
  } finally {
    asker.kill("SIGKILL");
  }
  expect([...new Set(heard)]).toEqual(["200 one", "200 two"]);
});
