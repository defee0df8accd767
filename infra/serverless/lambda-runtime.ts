/**
 * A bundle run as Lambda runs it: AWS's own runtime interface client (npm `aws-lambda-ric`) loads the
 * built file and asks the Runtime API for events; that API is served here, by its documentation:
 * docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";

const CLIENT = fileURLToPath(
  new URL("../../node_modules/aws-lambda-ric/index.mjs", import.meta.url),
);
const NATIVE_PART = fileURLToPath(new URL("native-client.ts", import.meta.url));
const VERSION = "/2018-06-01/runtime";
const FUNCTION_TIMEOUT_MS = 60_000;
const LOG_BYTES_KEPT = 20_000;

export interface LambdaFunction {
  /** From the start of the process to the runtime's first request for an event. */
  readonly initMs: number;
  /** One invocation; rejects with the error that the function reported. */
  invoke(event: unknown): Promise<{ readonly payload: unknown; readonly ms: number }>;
  /** What the function wrote, its end. */
  log(): string;
  stop(): Promise<void>;
}

export interface LambdaOptions {
  /** The folder that the package would be unpacked to. */
  readonly taskRoot: string;
  /** `advance-deploy.handler`: file and export, as in the function's configuration. */
  readonly handler: string;
  readonly environment: Readonly<Record<string, string>>;
}

interface Invocation {
  readonly id: string;
  readonly event: string;
  readonly resolve: (payload: unknown) => void;
  readonly reject: (error: Error) => void;
}

export const startLambda = async (options: LambdaOptions): Promise<LambdaFunction> => {
  const api = createRuntimeApi();
  const server = createServer((request, response) => void api.answer(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const beganMs = performance.now();
  const child = startClient(options, `127.0.0.1:${port}`);
  let log = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      log = (log + text).slice(-LOG_BYTES_KEPT);
    });
  }
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    }
    server.closeAllConnections();
    server.close();
  };
  child.once("exit", () => api.fail(new Error(`the function's process ended: ${log}`)));
  try {
    await api.ready;
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    initMs: performance.now() - beganMs,
    invoke: async (event) => {
      const invokedMs = performance.now();
      const payload = await api.invoke(event);
      return { payload, ms: performance.now() - invokedMs };
    },
    log: () => log,
    stop,
  };
};

const startClient = ({ taskRoot, handler, environment }: LambdaOptions, api: string) =>
  spawn(process.execPath, ["--import", NATIVE_PART, CLIENT], {
    cwd: taskRoot,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: process.env["PATH"],
      ...environment,
      AWS_LAMBDA_RUNTIME_API: api,
      // Events are then asked for in JavaScript, rather than in the native part.
      AWS_LAMBDA_NODEJS_USE_ALTERNATIVE_CLIENT_1: "true",
      AWS_LAMBDA_FUNCTION_NAME: basename(handler),
      AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${basename(handler)}`,
      AWS_LAMBDA_LOG_STREAM_NAME: "local",
      AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "512",
      LAMBDA_TASK_ROOT: taskRoot,
      _HANDLER: handler,
    },
  }) satisfies ChildProcess;

const createRuntimeApi = () => {
  const queued: Invocation[] = [];
  const underWay = new Map<string, Invocation>();
  const waiting: ServerResponse[] = [];
  const ready = Promise.withResolvers<void>();
  ready.promise.catch(() => undefined);
  const hand = (): void => {
    const response = waiting[0];
    const invocation = queued[0];
    if (response === undefined || invocation === undefined) return;
    waiting.shift();
    queued.shift();
    underWay.set(invocation.id, invocation);
    response.writeHead(200, {
      "content-type": "application/json",
      "lambda-runtime-aws-request-id": invocation.id,
      "lambda-runtime-deadline-ms": String(Date.now() + FUNCTION_TIMEOUT_MS),
      "lambda-runtime-invoked-function-arn": "arn:aws:lambda:eu-west-3:123456789012:function:f",
    });
    response.end(invocation.event);
  };
  const fail = (error: Error): void => {
    ready.reject(error);
    for (const { reject } of [...underWay.values(), ...queued.splice(0)]) reject(error);
    underWay.clear();
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await readBody(request);
    const path = (request.url ?? "").slice(VERSION.length);
    const [, id = "", outcome] = /^\/invocation\/([^/]+)\/(response|error)$/.exec(path) ?? [];
    if (path === "/invocation/next") {
      ready.resolve();
      waiting.push(response);
      hand();
      return;
    }
    const invocation = underWay.get(id);
    underWay.delete(id);
    if (path === "/init/error") fail(new Error(body));
    else if (outcome === "error") invocation?.reject(new Error(body));
    else if (outcome === "response") invocation?.resolve(body === "" ? null : JSON.parse(body));
    response.writeHead(202).end();
  };
  return {
    ready: ready.promise,
    answer,
    fail,
    invoke: (event: unknown): Promise<unknown> =>
      new Promise((resolve, reject) => {
        queued.push({ id: randomUUID(), event: JSON.stringify(event), resolve, reject });
        hand();
      }),
  };
};

const readBody = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
};
