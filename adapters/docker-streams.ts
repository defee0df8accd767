/** What the engine sends in pieces: a command's output, log lines, events. */
import { readFile } from "node:fs/promises";
import type Docker from "dockerode";
import * as z from "zod";
import { RetryableError, TerminalError } from "../volume/errors.ts";
import { systemClock } from "./clock.ts";
import type { ContainerEvent, DockerEngine, ExecRequest, ExecResult } from "./docker-engine.ts";
import { callEngine } from "./docker-errors.ts";
import { decodeFrames } from "./docker-frames.ts";
import { readJsonLines } from "./json-lines.ts";

const OUTPUT_BYTES_MAX = 64 * 1024;
const LOG_LINES_MAX = 1_000;
const LOG_LINE_CHARS_MAX = 2_000;
const CALL_TIMEOUT_MS = 30_000;
const RECONNECT_MIN_MS = 250;
const RECONNECT_MAX_MS = 5_000;
/** An event stream is renewed now and then, so that a connection that died silently is noticed. */
const STREAM_LIFE_MS = 600_000;

const Event = z.object({
  Action: z.string(),
  Actor: z.object({ Attributes: z.record(z.string(), z.string()) }),
  timeNano: z.number(),
});

export const makeStreamCalls = (
  docker: Docker,
): Pick<DockerEngine, "exec" | "logs" | "events"> => ({
  exec: (request, signal) => exec(docker, request, signal),
  logs: async (name, tailLines, signal) => {
    const answer = await callEngine(`logs of ${name}`, signal, (abortSignal) =>
      docker.getContainer(name).logs({
        stdout: true,
        stderr: true,
        follow: false,
        tail: Math.min(tailLines, LOG_LINES_MAX),
        abortSignal,
      }),
    );
    const text = decodeFrames(Buffer.from(answer)).trimEnd();
    return text === ""
      ? []
      : text.split("\n").map((line) => line.trimEnd().slice(0, LOG_LINE_CHARS_MAX));
  },
  events: (labels, signal) => followEvents(docker, labels, signal),
});

const exec = async (
  docker: Docker,
  { name, command, timeoutMs }: ExecRequest,
  signal: AbortSignal,
): Promise<ExecResult> => {
  const what = `exec in ${name}`;
  const made = await callEngine(what, signal, (abortSignal) =>
    docker.getContainer(name).exec({
      Cmd: [...command],
      AttachStdout: true,
      AttachStderr: true,
      abortSignal,
    }),
  );
  const chunks: Buffer[] = [];
  let isTimedOut = false;
  try {
    await callEngine(what, signal, (abortSignal) => run(made, chunks, abortSignal), timeoutMs);
  } catch (error) {
    const isTimeout = error instanceof RetryableError && error.code === "docker-timeout";
    // Left alone it would go on writing, and nobody would know of it.
    if (isTimeout || signal.aborted) await killCommand(made, name);
    if (!isTimeout) throw error;
    isTimedOut = true;
  }
  const output = decodeFrames(Buffer.concat(chunks)).slice(0, OUTPUT_BYTES_MAX);
  if (isTimedOut) return { exitCode: null, output, isTimedOut };
  const { ExitCode } = await callEngine(what, signal, (abortSignal) =>
    made.inspect({ abortSignal }),
  );
  return { exitCode: ExitCode, output, isTimedOut };
};

const run = async (
  command: Docker.Exec,
  chunks: Buffer[],
  abortSignal: AbortSignal,
): Promise<void> => {
  const stream = await command.start({ hijack: false, stdin: false, abortSignal });
  const end = () => void stream.destroy(abortSignal.reason);
  abortSignal.addEventListener("abort", end, { once: true });
  try {
    let bytes = 0;
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      // Read to the end, or the command would block on a full pipe.
      if (bytes < OUTPUT_BYTES_MAX * 2) chunks.push(chunk);
      bytes += chunk.byteLength;
    }
  } finally {
    abortSignal.removeEventListener("abort", end);
  }
};

/**
 * The engine has no call to end a command, so its process group is killed from outside, once the
 * kernel has said that this pid is in that container (pids are reused).
 */
const killCommand = async (command: Docker.Exec, name: string): Promise<void> => {
  const signal = AbortSignal.timeout(CALL_TIMEOUT_MS);
  const { Running, Pid, ContainerID } = await callEngine(`end a command in ${name}`, signal, () =>
    command.inspect(),
  );
  if (!Running || Pid <= 1) return;
  const cgroups = await readFile(`/proc/${Pid}/cgroup`, "utf8").catch(() => "");
  if (!cgroups.includes(ContainerID)) return;
  try {
    process.kill(-Pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
};

async function* followEvents(
  docker: Docker,
  labels: Readonly<Record<string, string>>,
  signal: AbortSignal,
): AsyncGenerator<ContainerEvent> {
  const filters = {
    type: ["container"],
    label: Object.entries(labels).map(([key, value]) => `${key}=${value}`),
  };
  let sinceNano: number | null = null;
  let backOffMs = RECONNECT_MIN_MS;
  while (!signal.aborted) {
    const life = AbortSignal.any([signal, AbortSignal.timeout(STREAM_LIFE_MS)]);
    try {
      // The engine repeats the event of that moment.
      const since = sinceNano === null ? {} : { since: sinceNano / 1e9 };
      const stream = await docker.getEvents({
        filters: JSON.stringify(filters),
        ...since,
        abortSignal: life,
      });
      for await (const value of readJsonLines(stream as AsyncIterable<Uint8Array>)) {
        const { Action, Actor, timeNano } = Event.parse(value);
        backOffMs = RECONNECT_MIN_MS;
        sinceNano = timeNano;
        const { name = "", ...attributes } = Actor.Attributes;
        yield { action: Action, name, labels: attributes, atMs: Math.trunc(timeNano / 1e6) };
      }
    } catch (error) {
      if (error instanceof TerminalError || error instanceof z.ZodError) throw error;
      // Away or restarting: connect again.
    }
    if (signal.aborted) return;
    if (!life.aborted) await systemClock.sleep(backOffMs, signal).catch(() => {});
    backOffMs = Math.min(backOffMs * 2, RECONNECT_MAX_MS);
  }
}
