/**
 * An installation of the whole product in a lab: control processes, one agent per node, a bare git
 * repository with the hook; all of them real processes, run as an operator would run them.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { startEmbeddedQueue } from "../../adapters/embedded-queue.ts";
import type { Lab, LabNode } from "./connect-lab.ts";
import { type EdgeAddress, layEdge } from "./edge-processes.ts";
import { findFreePort } from "./free-port.ts";
import { waitUntil } from "./wait-until.ts";

const MAIN = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));
const START_TIMEOUT_MS = 60_000;
const run = promisify(execFile);
/** Longer than any command waits for a deploy by itself. */
const CLI_TIMEOUT_MS = 240_000;

export interface InstallationOptions {
  readonly name: string;
  readonly store: "s3" | "directory";
  readonly queue: "elasticmq" | "embedded";
  /** Seconds between sweeps. */
  readonly sweepS?: number;
  readonly nodeLabels?: Readonly<Record<string, string>>;
  /** Settings of single nodes' agents, which win over all others. */
  readonly nodeSettings?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** A key of the store in files that every process reads, instead of the lab's own. */
  readonly storeKeyFiles?: { readonly accessKey: string; readonly secretKey: string };
  /** Settings beside those of the store and the queue, for every process. */
  readonly environment?: Readonly<Record<string, string>>;
  /** What the nodes have otherwise, such as keys of their own. */
  readonly nodeEnvironment?: Readonly<Record<string, string>>;
  /** What the edges have otherwise. */
  readonly edgeEnvironment?: Readonly<Record<string, string>>;
}

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Installation {
  readonly directory: string;
  /** Where webhooks are received. */
  readonly url: string;
  readonly environment: Readonly<Record<string, string>>;
  cli(...argv: string[]): Promise<CliResult>;
  startServe(name?: string): Promise<void>;
  startNode(name: string): Promise<void>;
  /** Starts an edge `edge-NAME` with a Caddy `caddy-NAME` of its own. */
  startEdge(name: string, tls: "internal" | "off"): Promise<EdgeAddress>;
  /** Ends a process (`serve`, `node-x`) and waits for it. */
  stop(process: string, signal?: NodeJS.Signals): Promise<void>;
  pid(process: string): number;
  logFile(process: string): string;
  /** Ends everything that was started. Containers are left to the lab. */
  close(): Promise<void>;
}

export const install = async (lab: Lab, options: InstallationOptions): Promise<Installation> => {
  const directory = join(lab.directory, "installations", options.name);
  mkdirSync(directory, { recursive: true });
  const queue =
    options.queue === "embedded" ? await startEmbeddedQueue({ host: lab.bridgeAddress }) : null;
  const port = await findFreePort(lab.bridgeAddress);
  const url = `http://${lab.bridgeAddress}:${port}`;
  const environment = {
    ...(await storeEnvironment(lab, options, directory)),
    ...queueEnvironment(lab, queue),
    BAGAGE_LISTEN: `${lab.bridgeAddress}:${port}`,
    BAGAGE_ALLOW_LOCAL_REPOSITORIES: "true",
    BAGAGE_ALLOW_PRIVATE_NETWORKS: "true",
    BAGAGE_SWEEP_S: String(options.sweepS ?? 5),
    ...options.environment,
  };
  let edgeCount = 0;
  const { start, stop, stopAll, pid, logFile } = openProcesses(directory, environment);
  const spoken = (child: ChildProcess, word: string): Promise<void> => awaitWord(child, word);
  return {
    directory,
    url,
    environment,
    logFile,
    pid,
    stop,
    cli: (...argv) =>
      runCli(argv, { PATH: process.env["PATH"] ?? "", HOME: directory, ...environment }),
    startServe: async (name = "serve") => {
      const listen = name === "serve" ? {} : { BAGAGE_LISTEN: `${lab.bridgeAddress}:0` };
      await spoken(
        start(name, [process.execPath, MAIN, "serve"], {
          ...listen,
          BAGAGE_NODE_ROOT: join(directory, name),
        }),
        "serve.listening",
      );
    },
    startNode: async (name) => {
      const node = lab.nodes.find((n) => n.name === name);
      if (node === undefined) throw new Error(`the lab has no node ${name}`);
      const argv = node.nsenter([process.execPath, MAIN, "node"]);
      const extra = { ...nodeEnvironment(node, options), ...options.nodeEnvironment };
      const child = start(`node-${name}`, argv, extra);
      await spoken(child, "node.started");
    },
    startEdge: async (name, tls) => {
      const edge = await layEdge({ directory, name, tls, index: edgeCount++ });
      start(`caddy-${name}`, edge.caddyArgv, { XDG_DATA_HOME: directory });
      const extra = { ...edge.environment, ...options.edgeEnvironment };
      await spoken(start(`edge-${name}`, [process.execPath, MAIN, "edge"], extra), "edge.started");
      return edge.address;
    },
    close: async () => {
      await stopAll();
      await queue?.stop();
    },
  };
};

/** Processes by name, each with its log in the directory. */
const openProcesses = (directory: string, environment: Readonly<Record<string, string>>) => {
  const processes = new Map<string, ChildProcess>();
  const logFile = (name: string) => join(directory, `${name}.log`);
  const stop = async (name: string, signal: NodeJS.Signals = "SIGTERM"): Promise<void> => {
    const child = processes.get(name);
    processes.delete(name);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  };
  // One that is left behind takes the messages of whoever uses the lab's queues next.
  const killAll = (): void => {
    for (const child of processes.values()) child.kill("SIGKILL");
  };
  process.once("exit", killAll);
  return {
    logFile,
    stop,
    pid: (name: string) => processes.get(name)?.pid ?? 0,
    start: (name: string, argv: readonly string[], extra: Readonly<Record<string, string>>) => {
      const [program = process.execPath, ...rest] = argv;
      const child = spawn(program, rest, {
        env: { PATH: process.env["PATH"], HOME: directory, ...environment, ...extra },
        stdio: ["ignore", "pipe", "pipe"],
      });
      const log = createWriteStream(logFile(name), { flags: "a" });
      child.stdout.pipe(log, { end: false });
      child.stderr.pipe(log, { end: false });
      processes.set(name, child);
      return child;
    },
    stopAll: async () => {
      await Promise.all([...processes.keys()].map((name) => stop(name)));
      process.off("exit", killAll);
    },
  };
};

const nodeEnvironment = (node: LabNode, options: InstallationOptions) => ({
  BAGAGE_NODE: node.name,
  BAGAGE_NODE_ROOT: join(node.directory, options.name),
  BAGAGE_NODE_ADDRESS: node.address,
  BAGAGE_NODE_BIND: node.address,
  BAGAGE_NODE_LABELS: options.nodeLabels?.[node.name] ?? "",
  BAGAGE_DOCKER_SOCKET: node.dockerSocket,
  ...options.nodeSettings?.[node.name],
});

const storeEnvironment = async (
  lab: Lab,
  { store, name, storeKeyFiles }: InstallationOptions,
  directory: string,
): Promise<Record<string, string>> => {
  if (store === "directory") return { BAGAGE_STORE: `file:${join(directory, "store")}` };
  if (lab.s3 === undefined) throw new Error("the lab has no S3 store");
  const { endpoints, region, accessKeyId, secretAccessKey } = lab.s3;
  const bucket = `inst-${name}`;
  const client = new S3Client({
    endpoint: endpoints[0] ?? "",
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  client.destroy();
  return {
    BAGAGE_STORE: `s3://${bucket}`,
    BAGAGE_S3_ENDPOINT: endpoints.join(","),
    BAGAGE_S3_REGION: region,
    ...(storeKeyFiles === undefined
      ? { BAGAGE_S3_ACCESS_KEY: accessKeyId, BAGAGE_S3_SECRET_KEY: secretAccessKey }
      : {
          BAGAGE_S3_ACCESS_KEY_FILE: storeKeyFiles.accessKey,
          BAGAGE_S3_SECRET_KEY_FILE: storeKeyFiles.secretKey,
        }),
  };
};

const queueEnvironment = (
  lab: Lab,
  embedded: Awaited<ReturnType<typeof startEmbeddedQueue>> | null,
): Record<string, string> => {
  const broker =
    embedded === null
      ? lab.sqs
      : { endpoint: embedded.endpoint, region: embedded.region, ...embedded.credentials };
  if (broker === undefined) throw new Error("the lab has no broker");
  return {
    BAGAGE_SQS_ENDPOINT: broker.endpoint,
    BAGAGE_SQS_REGION: broker.region,
    BAGAGE_SQS_ACCESS_KEY: broker.accessKeyId,
    BAGAGE_SQS_SECRET_KEY: broker.secretAccessKey,
  };
};

const runCli = async (argv: readonly string[], env: Record<string, string>): Promise<CliResult> => {
  try {
    const options = { env, timeout: CLI_TIMEOUT_MS, killSignal: "SIGKILL" as const };
    const { stdout, stderr } = await run(process.execPath, [MAIN, ...argv], options);
    return { code: 0, stdout, stderr };
  } catch (error) {
    const failed = error as { code?: number; killed?: boolean; stdout?: string; stderr?: string };
    if (failed.killed === true) {
      const said = `${failed.stdout}${failed.stderr}`;
      const what = `bagage ${argv.join(" ")} had not ended after ${CLI_TIMEOUT_MS} ms: ${said}`;
      throw new Error(what, { cause: error });
    }
    return { code: failed.code ?? -1, stdout: failed.stdout ?? "", stderr: failed.stderr ?? "" };
  }
};

/** Resolves when the process has logged the word; fails with its output when it ends before. */
const awaitWord = async (child: ChildProcess, word: string): Promise<void> => {
  let said = "";
  const listen = (chunk: Buffer) => {
    said += chunk.toString();
  };
  child.stdout?.on("data", listen);
  child.stderr?.on("data", listen);
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`${child.spawnargs.join(" ")} ended with ${code}: ${said}`);
  });
  const isSaid = waitUntil(
    async () => (said.includes(word) ? true : undefined),
    { what: `${word} of ${child.spawnargs.at(-1)}`, timeoutMs: START_TIMEOUT_MS },
    AbortSignal.timeout(START_TIMEOUT_MS),
  );
  ended.catch(() => undefined);
  await Promise.race([isSaid, ended]);
  child.stdout?.off("data", listen);
  child.stderr?.off("data", listen);
};
