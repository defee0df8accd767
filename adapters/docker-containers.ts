/** The life of a container: create, start, stop, remove, and what the engine knows of it. */
import type Docker from "dockerode";
import * as z from "zod";
import { ConflictError, RetryableError, TerminalError } from "../volume/errors.ts";
import { systemClock } from "./clock.ts";
import { endProcessesOf } from "./container-processes.ts";
import { containerOptions } from "./docker-container-options.ts";
import type {
  ContainerListing,
  ContainerRequest,
  ContainerView,
  DockerEngine,
  StopOutcome,
} from "./docker-engine.ts";
import { callEngine, isRefusal, orNull } from "./docker-errors.ts";
import { findMounting } from "./docker-mounts.ts";

type ContainerCalls = Pick<
  DockerEngine,
  | "createContainer"
  | "startContainer"
  | "stopContainer"
  | "removeContainer"
  | "inspect"
  | "listContainers"
  | "containersMounting"
>;

/** After SIGKILL a process still ends its system calls; one stuck in the disk may take this long. */
const KILL_TIMEOUT_MS = 60_000;
const ENGINE_MARGIN_MS = 30_000;

const Status = z.enum(["created", "running", "paused", "restarting", "removing", "exited", "dead"]);
const Labels = z
  .record(z.string(), z.string())
  .nullish()
  .transform((labels) => labels ?? {});

const ALIVE: ReadonlySet<z.infer<typeof Status>> = new Set(["running", "paused", "restarting"]);

/** The part of the engine's answer that is used, as API 1.41 and later give it. */
const Inspected = z.object({
  Id: z.string(),
  Name: z.string(),
  State: z.object({
    Status,
    ExitCode: z.int(),
    Pid: z.int().default(0),
    StartedAt: z.string(),
    Health: z.object({ Status: z.string() }).nullish(),
  }),
  Config: z.object({ Labels, StopSignal: z.string().optional() }),
  Mounts: z.array(z.object({ Source: z.string(), Destination: z.string(), RW: z.boolean() })),
  NetworkSettings: z.object({
    Networks: z.record(
      z.string(),
      z.object({ IPAddress: z.string(), GlobalIPv6Address: z.string().default("") }),
    ),
  }),
});
type Inspected = z.infer<typeof Inspected>;

export const makeContainerCalls = (docker: Docker): ContainerCalls => ({
  createContainer: (request, signal) => create(docker, request, signal),
  startContainer: async (name, signal) => {
    try {
      await callEngine(`start ${name}`, signal, (abortSignal) =>
        docker.getContainer(name).start({ abortSignal }),
      );
    } catch (error) {
      // It runs already.
      if (!isRefusal(error, "docker-unchanged")) throw error;
    }
  },
  stopContainer: (name, graceMs, signal) => stop(docker, name, graceMs, signal),
  removeContainer: async (name, signal) => {
    const removed = callEngine(`remove ${name}`, signal, (abortSignal) =>
      docker.getContainer(name).remove({ force: true, abortSignal }),
    );
    await orNull(removed);
  },
  inspect: async (name, signal) => {
    const found = await inspectRaw(docker, name, signal);
    return found === null ? null : viewOf(found);
  },
  listContainers: async (labels, signal) => {
    const filters = { label: Object.entries(labels).map(([key, value]) => `${key}=${value}`) };
    const found = await callEngine("list containers", signal, (abortSignal) =>
      docker.listContainers({ all: true, filters, abortSignal }),
    );
    return found.map(listingOf);
  },
  containersMounting: async (directory, signal) => {
    const all = await callEngine("list mounts", signal, (abortSignal) =>
      docker.listContainers({ all: true, abortSignal }),
    );
    return findMounting(
      directory,
      all.flatMap((container) =>
        container.Mounts.map(({ Source }) => ({ ...listingOf(container), source: Source })),
      ),
    );
  },
});

const create = async (docker: Docker, request: ContainerRequest, signal: AbortSignal) => {
  const { name } = request;
  const options = containerOptions(request);
  try {
    const made = await callEngine(`create ${name}`, signal, (abortSignal) =>
      docker.createContainer({ ...options, abortSignal }),
    );
    return { id: made.id, isReused: false };
  } catch (error) {
    if (!isRefusal(error, "docker-conflict")) throw error;
    const found = await inspectRaw(docker, name, signal);
    // Removed between the two calls.
    if (found === null) {
      throw new ConflictError(`container ${name} changed`, { code: "race", cause: error });
    }
    const wanted = Object.entries(options.Labels ?? {});
    if (wanted.every(([key, value]) => found.Config.Labels[key] === value)) {
      return { id: found.Id, isReused: true };
    }
    throw new TerminalError(`a container named ${name} exists, and it is another one`, {
      code: "container-name-taken",
      hint: `docker inspect ${name}; rename or remove it if it is not needed`,
      cause: error,
    });
  }
};

const stop = async (
  docker: Docker,
  name: string,
  graceMs: number,
  signal: AbortSignal,
): Promise<StopOutcome> => {
  const found = await inspectRaw(docker, name, signal);
  if (found === null) return { stopped: "absent", exitCode: null };
  // By id: a new container of that name is not the one to stop.
  const container = docker.getContainer(found.Id);
  if (!ALIVE.has(found.State.Status)) await endProcessesOf(found.Id, systemClock, signal);
  if (found.State.Status === "paused") {
    // A frozen process can't handle its stop signal.
    await callEngine(`unpause ${name}`, signal, (abortSignal) =>
      container.unpause({ abortSignal }),
    );
  }
  const ended = waitForEnd(container, name, graceMs, signal);
  // The kill may fail first; the wait's failure is then of no interest.
  ended.catch(() => {});
  await kill(container, found.Config.StopSignal ?? "SIGTERM", signal);
  const exitCode = await ended;
  if (exitCode !== null) return { stopped: "clean", exitCode };
  const killed = waitForEnd(container, name, KILL_TIMEOUT_MS, signal);
  killed.catch(() => {});
  await kill(container, "SIGKILL", signal);
  const killedCode = await killed;
  if (killedCode !== null) return { stopped: "killed", exitCode: killedCode };
  throw new RetryableError(`container ${name} survives SIGKILL`, {
    code: "container-unkillable",
    hint: "a process hangs in the kernel: look at its disk or network mount, or reboot the node",
  });
};

/** The exit code, or null when it still runs after `timeoutMs`. */
const waitForEnd = async (
  container: Docker.Container,
  name: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<number | null> => {
  const done = new AbortController();
  const either = AbortSignal.any([signal, done.signal]);
  const ended = callEngine(
    `wait for ${name}`,
    either,
    async (abortSignal) => {
      const { StatusCode } = await container.wait({ condition: "not-running", abortSignal });
      return z.int().parse(StatusCode);
    },
    timeoutMs + ENGINE_MARGIN_MS,
  );
  const late = systemClock.sleep(timeoutMs, either).then(() => null);
  try {
    return await Promise.race([ended, late]);
  } finally {
    done.abort();
    await Promise.allSettled([ended, late]);
  }
};

const kill = async (
  container: Docker.Container,
  unixSignal: string,
  signal: AbortSignal,
): Promise<void> => {
  try {
    await callEngine(`send ${unixSignal}`, signal, (abortSignal) =>
      container.kill({ signal: unixSignal, abortSignal }),
    );
  } catch (error) {
    // Not running any more, or gone: what was wanted.
    if (!isRefusal(error, "docker-conflict") && !isRefusal(error, "docker-not-found")) throw error;
  }
};

const inspectRaw = async (
  docker: Docker,
  name: string,
  signal: AbortSignal,
): Promise<Inspected | null> => {
  const answer = await orNull(
    callEngine(`inspect ${name}`, signal, (abortSignal) =>
      docker.getContainer(name).inspect({ abortSignal }),
    ),
  );
  return answer === null ? null : Inspected.parse(answer);
};

const viewOf = ({ Id, Name, State, Config, Mounts, NetworkSettings }: Inspected): ContainerView => {
  // The engine writes year 1 for "never started".
  const startedAtMs = Date.parse(State.StartedAt);
  const health = State.Health?.Status;
  return {
    id: Id,
    name: Name.replace(/^\//, ""),
    state: State.Status,
    exitCode: State.ExitCode,
    addresses: Object.values(NetworkSettings.Networks)
      .flatMap(({ IPAddress, GlobalIPv6Address }) => [IPAddress, GlobalIPv6Address])
      .filter((address) => address !== ""),
    health:
      health === "starting" || health === "healthy" || health === "unhealthy" ? health : "none",
    startedAtMs: startedAtMs > 0 ? startedAtMs : null,
    pid: State.Pid > 0 ? State.Pid : null,
    labels: Config.Labels,
    mounts: Mounts.map(({ Source, Destination, RW }) => ({
      source: Source,
      target: Destination,
      readOnly: !RW,
    })),
  };
};

const listingOf = (info: Docker.ContainerInfo): ContainerListing => ({
  id: info.Id,
  name: (info.Names[0] ?? info.Id).replace(/^\//, ""),
  state: Status.parse(info.State),
  labels: Labels.parse(info.Labels),
});
