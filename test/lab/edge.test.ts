/**
 * Edges on real parts, with a key for each kind of process: clients at stable addresses see no move,
 * or are told when to come again.
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Lab } from "../../infra/lab/connect-lab.ts";
import type { EdgeAddress } from "../../infra/lab/edge-processes.ts";
import { attachOrStartLab, FULL_LAB } from "../../infra/lab/lab.ts";
import { waitUntil } from "../../infra/lab/wait-until.ts";
import { openScene, type Scene } from "./deploy-scene.ts";
import { givePlatformKeys, storeKeys } from "./platform-keys.ts";

const HOST = "log.example.org";
const TCP_PORT = 8111;
const signal = AbortSignal.timeout(900_000);
const agents = {
  http: new http.Agent({ keepAlive: true, maxSockets: 4 }),
  https: new https.Agent({ keepAlive: true, maxSockets: 4 }),
};
const edges: EdgeAddress[] = [];
let lab: Lab;
let scene: Scene;
let deploys = 0;

/** Of the second container nothing listens: its clients wait in vain. */
const file = (node: string) => `web:
    image: log-writer
    domains:
    - domain: ${HOST}
      port: 8080
    - domain: localhost
      port: 8080
    - domain: www.example.org/log
      port: 8080
    ports:
    - "${TCP_PORT}:8080"
    healthcheck:
      test: ["CMD", "node", "-e", "fetch('http://127.0.0.1:8080/health').then(r => process.exit(r.ok ? 0 : 1))"]
      interval: 1s
      retries: 5
    stop_grace_period: 10s
    deploy:
      placement:
        constraints:
        - node.id == ${node}
    volumes:
    - name: log
      path: /var/lib/data
nobody:
    image: busybox
    command: ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]
    domains: [nobody.example.org]
    hold: 1s
`;

const push = (node: string) => {
  deploys += 1;
  return scene.repository.push({ Deliverous: file(node) }, `Deploy ${deploys}`);
};

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly retryAfter: string | undefined;
}

interface Request {
  readonly host?: string;
  /** Makes it a POST. */
  readonly body?: unknown;
  readonly isKeptAlive?: boolean;
}

const ask = (
  edge: EdgeAddress | undefined,
  path: string,
  { host = HOST, body, isKeptAlive = false }: Request = {},
): Promise<Answer> => {
  if (edge === undefined) throw new Error("there is no such edge");
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const { request } = edge.tls ? https : http;
  const sent = request({
    ...{ host: edge.host, port: edge.port, path, servername: host, rejectUnauthorized: false },
    method: body === undefined ? "GET" : "POST",
    headers: { host, "content-type": "application/json" },
    signal: AbortSignal.timeout(60_000),
    agent: isKeptAlive && (edge.tls ? agents.https : agents.http),
  });
  sent.once("error", reject).once("response", (response) => {
    const status = response.statusCode ?? 0;
    const retryAfter = response.headers["retry-after"];
    text(response).then((said) => resolve({ status, body: said, retryAfter }), reject);
  });
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  return promise;
};

/** Clients of each kind, one request after the other, until they are told to stop. */
const load = () => {
  const failures: string[] = [];
  const acknowledged: number[] = [];
  let isOver = false;
  let next = 0;
  const one = async (index: number, act: (edge: EdgeAddress | undefined) => Promise<Answer>) => {
    while (!isOver) {
      const edge = edges[index % edges.length];
      const answer = await act(edge).catch((error: unknown) => `${error}`);
      if (typeof answer === "string") failures.push(answer);
      else if (answer.status >= 300) failures.push(`${answer.status} ${answer.body}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const append = async (edge: EdgeAddress | undefined, isKeptAlive = false) => {
    next += 1;
    const n = next;
    const answer = await ask(edge, "/append", { body: { n }, isKeptAlive });
    if (answer.status === 201) acknowledged.push(n);
    return answer;
  };
  const clients = [0, 1, 2, 3].flatMap((index) => [
    one(index, (edge) => append(edge)),
    one(index, (edge) => append(edge, true)),
    one(index, (edge) => ask(edge, "/health")),
    one(index, (edge) => ask(edge, "/health", { isKeptAlive: true })),
  ]);
  return {
    stop: async () => {
      isOver = true;
      await Promise.all(clients);
      return { failures, acknowledged };
    },
  };
};

const openSocket = async (edge: EdgeAddress | undefined): Promise<WebSocket> => {
  // Node's client says in its Host header what it connects to.
  const socket = new WebSocket(`ws://localhost:${edge?.port}/`);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  return socket;
};

beforeAll(async () => {
  lab = await attachOrStartLab(FULL_LAB, console.log, signal);
  const name = `edge-${randomBytes(3).toString("hex")}`;
  const keys = await givePlatformKeys(lab, { bucket: `inst-${name}`, name }, signal);
  scene = await openScene(lab, {
    ...{ name, store: "s3", queue: "elasticmq" },
    environment: storeKeys(keys.control),
    nodeEnvironment: storeKeys(keys.node),
    edgeEnvironment: storeKeys(keys.edge),
  });
  edges.push(await scene.installation.startEdge("a", "internal"));
  edges.push(await scene.installation.startEdge("b", "off"));
  const first = await push("x");
  expect((await scene.ended(first.commit)).result).toBe("deployed");
});
afterAll(async () => {
  agents.http.destroy();
  agents.https.destroy();
  await scene?.close();
  await lab.stop(signal);
});

test("names and paths lead to the container through each edge, unknown ones nowhere", async () => {
  const edge = edges[1];
  await waitUntil(
    async () => ((await ask(edge, "/health")).status === 200 ? true : undefined),
    { what: "the edge serves the name", timeoutMs: 60_000 },
    signal,
  );
  expect((await ask(edge, "/log/x", { host: "www.example.org" })).status).toBe(404);
  expect((await ask(edge, "/log/x", { host: "www.example.org" })).body).toContain("no such page");
  expect((await ask(edge, "/health", { host: "www.example.org" })).body).toBe("");
  expect((await ask(edge, "/health", { host: "other.example.org" })).status).toBe(404);
});

test("clients of every kind, through both edges, see no move: nothing fails, nothing is lost", async () => {
  const running = load();
  const { commit } = await push("y");
  expect((await scene.ended(commit)).result).toBe("deployed");
  const { failures, acknowledged } = await running.stop();
  expect(failures).toEqual([]);
  expect(acknowledged.length).toBeGreaterThan(100);
  const records = JSON.parse((await ask(edges[0], "/records")).body) as number[];
  expect(records.length).toBe(new Set(records).size);
  expect(acknowledged.filter((n) => !records.includes(n))).toEqual([]);
});

test("a request under way is answered, a WebSocket is told, a new TCP client is held", async () => {
  const socket = await openSocket(edges[1]);
  const closed = new Promise<CloseEvent>((resolve) => {
    socket.onclose = resolve;
  });
  const echoed = new Promise((resolve) => {
    socket.onmessage = ({ data }) => resolve(data);
  });
  socket.send("hello");
  expect(await echoed).toBe("hello");
  const { commit } = await push("x");
  const slow: Promise<{ readonly status: number; readonly atMs: number }>[] = [];
  await scene.until("the drain", ({ deploy, history }) => {
    const asked = ask(edges[1], "/slow/3000");
    slow.push(asked.then(({ status }) => ({ status, atMs: Date.now() })));
    const isDraining = deploy?.phase.name === "draining" || deploy?.phase.name === "sealed";
    return isDraining || history.some((ended) => ended.commit === commit) ? true : undefined;
  });
  const client = connect({ host: edges[1]?.host ?? "", port: TCP_PORT });
  client.write("GET /health HTTP/1.0\r\n\r\n");
  expect(await text(client)).toContain("healthy");
  expect((await closed).code).toBe(1001);
  const { result, timeline } = await scene.ended(commit);
  expect(result).toBe("deployed");
  const drainedAtMs = timeline.find(({ phase }) => phase === "draining")?.atMs ?? Infinity;
  const answers = await Promise.all(slow);
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  expect(answers.some(({ atMs }) => atMs > drainedAtMs)).toBe(true);
});

test("a client that was held for the time that the file names is told to come again", async () => {
  const startMs = performance.now();
  const answer = await ask(edges[1], "/", { host: "nobody.example.org", body: { n: 1 } });
  expect(answer).toMatchObject({ status: 503, retryAfter: "5" });
  expect(answer.body).toContain("try again");
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(1_000);
});

test("52: an edge finds all it needs with a key of its own, and asks for nothing that is refused", () => {
  for (const name of ["edge-a", "edge-b"]) {
    const lines = readFileSync(scene.installation.logFile(name), "utf8").trim().split("\n");
    const problems = lines.filter((line) => JSON.parse(line).level !== "info");
    expect(problems.filter((line) => !line.includes("caddy.old"))).toEqual([]);
  }
});
