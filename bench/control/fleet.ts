/** An installation for the control benchmark: any number of `serve`, and simulated nodes; counted. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Lab } from "../../infra/lab/connect-lab.ts";
import { type Installation, install } from "../../infra/lab/installation.ts";
import { waitUntil } from "../../infra/lab/wait-until.ts";
import { addCounts, type Counts, FleetMessage, since } from "./fleet-messages.ts";

export type Ended = Extract<FleetMessage, { kind: "ended" }>;

/** Requests of the whole installation, by who made them. */
export interface FleetCounts {
  readonly control: Counts;
  readonly nodes: Counts;
  readonly engine: Counts;
  readonly queues: Counts;
}

export interface Fleet {
  readonly installation: Installation;
  readonly nodes: readonly string[];
  /** Starts or ends `serve` processes until so many run. */
  serve(processes: number): Promise<void>;
  counts(): Promise<FleetCounts>;
  /** Hears of each deploy's end once. */
  onEnded(listen: (ended: Ended) => void): void;
  close(): Promise<void>;
}

const PROGRAM = fileURLToPath(new URL("simulated-nodes.ts", import.meta.url));
const START_TIMEOUT_MS = 60_000;

export const startFleet = async (
  lab: Lab,
  options: { readonly name: string; readonly nodes: number; readonly root: string },
): Promise<Fleet> => {
  const installation = await install(lab, {
    ...{ name: options.name, store: "s3", queue: "elasticmq", sweepS: SWEEP_S },
    // What others left on a lab's broker is not worked off here.
    environment: { BAGAGE_QUEUE_PREFIX: `${options.name}-` },
  });
  const nodes = Array.from({ length: options.nodes }, (_, index) => `sim-${index}`);
  const child = fork(PROGRAM, [options.root, ...nodes], {
    env: { PATH: process.env["PATH"], ...installation.environment },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const listeners: ((ended: Ended) => void)[] = [];
  child.on("message", (message) => {
    const said = FleetMessage.parse(message);
    if (said.kind === "ended") for (const listen of listeners) listen(said);
  });
  await said(child, "ready");
  const serving: string[] = [];
  return {
    installation,
    nodes,
    serve: async (processes) => {
      while (serving.length < processes) {
        const name = serving.length === 0 ? "serve" : `serve-${serving.length + 1}`;
        await installation.startServe(name);
        serving.push(name);
      }
      while (serving.length > processes) await installation.stop(serving.pop() ?? "");
    },
    counts: async () => {
      const answered = said(child, "counts");
      child.send("counts");
      const { nodes: ofNodes, engine, queues } = await answered;
      const metrics = await Promise.all(serving.map((name) => scrape(installation, name)));
      return {
        control: addCounts(...metrics.map(({ store }) => store)),
        nodes: ofNodes,
        engine,
        queues: addCounts(queues, ...metrics.map((each) => each.queues)),
      };
    },
    onEnded: (listen) => void listeners.push(listen),
    close: async () => {
      const exited = once(child, "exit");
      child.kill("SIGTERM");
      await exited;
      await installation.close();
    },
  };
};

/** The default of an installation. */
const SWEEP_S = 15;

const said = async <K extends FleetMessage["kind"]>(child: ChildProcess, kind: K) => {
  const signal = AbortSignal.timeout(START_TIMEOUT_MS);
  for (;;) {
    const [message] = await once(child, "message", { signal });
    const parsed = FleetMessage.parse(message);
    if (parsed.kind === kind) return parsed as Extract<FleetMessage, { kind: K }>;
  }
};

/** What a `serve` has counted, from where an operator's Prometheus has it. */
const scrape = async (installation: Installation, name: string) => {
  const log = readFileSync(installation.logFile(name), "utf8");
  // One that was started again listens elsewhere.
  const url = [...log.matchAll(/"url":"([^"]+)"[^\n]*"serve\.listening"/g)].at(-1)?.[1];
  if (url === undefined) throw new Error(`${name} does not say where it listens`);
  const text = await waitUntil(
    async () => await (await fetch(new URL("/metrics", url))).text(),
    { what: `the metrics of ${name}`, timeoutMs: START_TIMEOUT_MS },
    AbortSignal.timeout(START_TIMEOUT_MS),
  );
  return {
    store: sumBy(text, /^bagage_store_request_seconds_count\{.*?operation="(\w+)".*?\} (\d+)$/gm),
    queues: sumBy(text, /^bagage_queue_requests_total\{action="(\w+)"\} (\d+)$/gm),
  };
};

const sumBy = (text: string, pattern: RegExp): Counts => {
  const counts: Counts = {};
  for (const [, kind = "", n] of text.matchAll(pattern))
    counts[kind] = (counts[kind] ?? 0) + Number(n);
  return counts;
};

export const countsSince = (before: FleetCounts, now: FleetCounts): FleetCounts => ({
  control: since(before.control, now.control),
  nodes: since(before.nodes, now.nodes),
  engine: since(before.engine, now.engine),
  queues: since(before.queues, now.queues),
});

/** Of all that asked the store. */
export const storeCounts = ({ control, nodes, engine }: FleetCounts): Counts =>
  addCounts(control, nodes, engine);
