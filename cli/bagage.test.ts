/** The program as service managers start it: on whatever Node, with signals to the first process. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type EmbeddedQueue, startEmbeddedQueue } from "../adapters/embedded-queue.ts";
import { waitUntil } from "../infra/lab/wait-until.ts";

const BAGAGE = fileURLToPath(new URL("./bagage.mjs", import.meta.url));
const TIMEOUT_MS = 60_000;
let directory: string;
let queue: EmbeddedQueue;
let child: ChildProcess;
let said: string;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "bagage-program-"));
  queue = await startEmbeddedQueue({});
  said = "";
  child = spawn(process.execPath, [BAGAGE, "serve"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      PATH: process.env["PATH"],
      BAGAGE_STORE: `file:${directory}/store`,
      BAGAGE_NODE_ROOT: directory,
      BAGAGE_LISTEN: "127.0.0.1:0",
      BAGAGE_SQS_ENDPOINT: queue.endpoint,
      BAGAGE_SQS_REGION: queue.region,
      BAGAGE_SQS_ACCESS_KEY: queue.credentials.accessKeyId,
      BAGAGE_SQS_SECRET_KEY: queue.credentials.secretAccessKey,
    },
  });
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  await lineOf("serve.listening");
});

afterEach(async () => {
  child.kill("SIGKILL");
  await queue.stop();
  rmSync(directory, { recursive: true, force: true });
});

const lineOf = (message: string): Promise<Record<string, unknown>> =>
  waitUntil(
    async () =>
      said
        .split("\n")
        .filter((line) => line.startsWith("{") && line.endsWith("}"))
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .find(({ msg }) => msg === message),
    { what: message, timeoutMs: TIMEOUT_MS },
    AbortSignal.timeout(TIMEOUT_MS),
  );

test("a signal to the process that was started ends the one that does the work, in peace", async () => {
  const { pid } = await lineOf("serve.listening");
  expect(pid).not.toBe(child.pid);
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
  expect(existsSync(`/proc/${pid}`)).toBe(false);
});
