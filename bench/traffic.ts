/** `npm run bench -- traffic`: what clients of an edge see of many moves, at a steady rate. */
import { fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import type { EdgeAddress } from "../infra/lab/edge-processes.ts";
import { attachOrStartLab, FULL_LAB } from "../infra/lab/lab.ts";
import { waitUntil } from "../infra/lab/wait-until.ts";
import { openScene, type Scene } from "../test/lab/deploy-scene.ts";
import type { EndedDeploy } from "../workflows/record.ts";
import type { Bench, BenchResult } from "./bench.ts";
import { type LoadOrder, Sample } from "./traffic-load.ts";
import { type Traffic, trafficRows } from "./traffic-rows.ts";

const LOAD = fileURLToPath(new URL("./traffic-load.ts", import.meta.url));
const NAME = "log.example.org";
const PORT = 8190;
const READY_TIMEOUT_MS = 60_000;
const QUIET_MS = 10_000;
const BETWEEN_MOVES_MS = 1_000;
const NUMBERS_APART = 10_000_000;

export const trafficBench: Bench = {
  title: "Traffic",
  options: {
    moves: { type: "string", default: "20" },
    rate: { type: "string", default: "100" },
  },
  run: async ({ options, isQuick, log }, signal) => {
    const lab = await attachOrStartLab(FULL_LAB, log, signal);
    const token = randomBytes(3).toString("hex");
    const scene = await openScene(lab, {
      name: `traffic-${token}`,
      store: "s3",
      queue: "elasticmq",
    });
    try {
      const edge = await scene.installation.startEdge("a", "off");
      const node = lab.nodes[0]?.address ?? "";
      const moves = isQuick ? 3 : Number(options["moves"]);
      const ratePerS = Number(options["rate"]);
      const traffic = await drive(scene, { edge, node, moves, ratePerS, log }, signal);
      return { rows: trafficRows(traffic), about: describe(moves, ratePerS) } satisfies BenchResult;
    } finally {
      await scene.close();
      await lab.stop(AbortSignal.timeout(120_000));
    }
  },
};

interface Drive {
  readonly edge: EdgeAddress;
  /** Address of the node that the container is on at first. */
  readonly node: string;
  readonly moves: number;
  readonly ratePerS: number;
  readonly log: (line: string) => void;
}

const drive = async (
  scene: Scene,
  { edge, node, moves, ratePerS, log }: Drive,
  signal: AbortSignal,
): Promise<Traffic> => {
  await move(scene, "x");
  const ready = { what: "the edge serves the name", timeoutMs: READY_TIMEOUT_MS };
  await waitUntil(() => askEdge(edge, "/health"), ready, signal);
  log("straight to the node, nothing moves");
  const direct = startLoad({ host: node, port: PORT, name: NAME, ratePerS, firstNumber: 0 });
  await sleep(QUIET_MS, undefined, { signal });
  const straight = await direct.stop();
  log("through the edge");
  const order = { host: edge.host, port: edge.port, name: NAME, ratePerS };
  const load = startLoad({ ...order, firstNumber: NUMBERS_APART });
  await sleep(QUIET_MS, undefined, { signal });
  const deploys: EndedDeploy[] = [];
  for (let count = 1; count <= moves; count += 1) {
    const ended = await move(scene, count % 2 === 1 ? "y" : "x");
    log(`move ${count} of ${moves}: ${ended.result}, gap ${ended.gapMs} ms`);
    deploys.push(ended);
    await sleep(BETWEEN_MOVES_MS, undefined, { signal });
  }
  const throughEdge = await load.stop();
  const statuses = Map.groupBy(throughEdge, ({ status }) => status ?? "no answer");
  for (const [status, samples] of statuses) log(`${samples.length} requests: ${status}`);
  return { straight, throughEdge, deploys, records: await readRecords(edge) };
};

/** Deploys to the node, and waits for the end. */
const move = async (scene: Scene, node: string): Promise<EndedDeploy> => {
  const { commit } = await scene.repository.push({ Deliverous: file(node) }, `To ${node}`);
  return scene.ended(commit);
};

const file = (node: string): string => `web:
    image: log-writer
    domains:
    - domain: ${NAME}
      port: 8080
    ports:
    - "${PORT}:8080"
    healthcheck:
      test: ["CMD", "node", "-e", "fetch('http://127.0.0.1:8080/health').then(r => process.exit(r.ok ? 0 : 1))"]
      interval: 1s
    stop_grace_period: 10s
    deploy:
      placement:
        constraints:
        - node.id == ${node}
    volumes:
    - name: log
      path: /var/lib/data
`;

const startLoad = (order: LoadOrder): { stop(): Promise<Sample[]> } => {
  const child = fork(LOAD, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  child.send(order);
  return {
    stop: async () => {
      const said = once(child, "message");
      child.send("stop");
      const [samples] = await said;
      return z.array(Sample).parse(samples);
    },
  };
};

const readRecords = async (edge: EdgeAddress): Promise<readonly number[]> =>
  z.array(z.int()).parse(JSON.parse(await askEdge(edge, "/records")));

/** Rejects unless the answer is 200. Not with fetch: it does not let the Host header be set. */
const askEdge = async ({ host, port }: EdgeAddress, path: string): Promise<string> => {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  get({ host, port, path, headers: { host: NAME }, agent: false }, resolve).once("error", reject);
  const answer = await promise;
  const body = await text(answer);
  if (answer.statusCode !== 200) throw new Error(`${path}: ${answer.statusCode} ${body}`);
  return body;
};

const describe = (moves: number, ratePerS: number): string =>
  `${ratePerS} requests a second, one in four a POST whose record is on disk before it is answered, through one edge (Caddy)
to a container that is moved ${moves} times between two Docker engines; store and queue are Ceph RGW and ElasticMQ. Waits count from
the moment at which a request was due. "In moves" is from the request of a deploy to a second after its end.`;
