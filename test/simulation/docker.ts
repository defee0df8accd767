/** The daemon as the agent's port sees it: every call a boundary, a daemon that is away no answer. */
import type {
  ContainerEvent,
  ContainerListing,
  DockerEngine,
  StopOutcome,
} from "../../adapters/docker-engine.ts";
import { findMounting } from "../../adapters/docker-mounts.ts";
import { RetryableError, TerminalError } from "../../volume/errors.ts";
import { behaviourOf } from "./application.ts";
import type { Container, Daemon } from "./daemon.ts";
import type { Process } from "./machine.ts";
import type { Mutation } from "./mutation.ts";

const STOP_LOOKS = 10;
const STOP_LOOK_MS_MIN = 100;
const KILL_WAIT_MS = 1_000;

export const dockerFor = (process: Process, daemon: Daemon, mutation: Mutation): DockerEngine => {
  const call = <T>(what: string, signal: AbortSignal, effect: () => T | Promise<T>): Promise<T> =>
    process.call(
      what,
      () => {
        if (daemon.isDown) throw new RetryableError(what, { code: "docker-unreachable" });
        return effect();
      },
      { signal },
    );
  const isRunning = (name: string, signal: AbortSignal): Promise<boolean> =>
    call(`look at ${name}`, signal, () => daemon.containers.get(name)?.state === "running");
  const stop = async (name: string, graceMs: number, signal: AbortSignal): Promise<StopOutcome> => {
    if (mutation === "seal-before-stop") return { stopped: "clean", exitCode: 0 };
    const found = await call(`look at ${name}`, signal, () => daemon.containers.get(name));
    if (found === undefined) return { stopped: "absent", exitCode: null };
    if (found.state !== "running") return { stopped: "clean", exitCode: found.exitCode };
    await call(`docker SIGTERM ${name}`, signal, () => daemon.signal(name, "TERM"));
    const lookMs = Math.max(STOP_LOOK_MS_MIN, graceMs / STOP_LOOKS);
    for (let waitedMs = 0; waitedMs <= graceMs; waitedMs += lookMs) {
      if (!(await isRunning(name, signal))) return { stopped: "clean", exitCode: 0 };
      await process.sleep(lookMs, signal);
    }
    await call(`docker SIGKILL ${name}`, signal, () => daemon.signal(name, "KILL"));
    await process.sleep(KILL_WAIT_MS, signal);
    if (!(await isRunning(name, signal))) return { stopped: "killed", exitCode: 137 };
    throw new RetryableError(`${name} survives`, { code: "container-unkillable" });
  };
  return {
    ping: (signal) => call("look at docker", signal, () => undefined),
    info: (signal) =>
      call("look at docker", signal, () => ({
        cpus: 2,
        memoryBytes: 2 ** 32,
        version: "simulated",
        rootDirectory: "/",
      })),
    ensureImage: ({ reference }, signal) =>
      call(`docker image ${reference}`, signal, () => {
        if (behaviourOf(reference) !== "absent") {
          return { imageId: `sha256:${reference}`, digest: null, source: "present" };
        }
        throw new TerminalError(`there is no image ${reference}`, { code: "image-not-found" });
      }),
    createContainer: (request, signal) =>
      call(`docker create ${request.name}`, signal, () => {
        const { id, isReused } = daemon.create(request);
        return { id, isReused };
      }),
    startContainer: (name, signal) =>
      call(`docker start ${name}`, signal, () => daemon.start(name)),
    stopContainer: stop,
    removeContainer: async (name, signal) => {
      if (mutation === "seal-before-stop" || mutation === "late-start-finds-its-directory") return;
      await call(`docker remove ${name}`, signal, () => daemon.remove(name));
    },
    inspect: (name, signal) =>
      call(`look at ${name}`, signal, () => {
        const found = daemon.containers.get(name);
        return found === undefined ? null : viewOf(found);
      }),
    listContainers: (labels, signal) =>
      call("look at containers", signal, () =>
        [...daemon.containers.values()]
          .filter(({ request }) => hasLabels(request.labels, labels))
          .map(listingOf),
      ),
    containersMounting: (directory, signal) =>
      call("look at mounts", signal, async () => {
        if (mutation === "seal-before-stop") return [];
        const mounts = [...daemon.containers.values()].flatMap((container) =>
          container.request.mounts.map(({ source }) => ({ ...listingOf(container), source })),
        );
        return findMounting(directory, mounts);
      }),
    exec: ({ name }, signal) =>
      call(`look into ${name}`, signal, () => {
        const found = daemon.containers.get(name);
        const isHealthy =
          found?.state === "running" && behaviourOf(found.request.spec.image) === "good";
        return { exitCode: isHealthy ? 0 : 1, output: "", isTimedOut: false };
      }),
    logs: (name, _lines, signal) => call(`look at ${name}`, signal, () => []),
    events: (labels, signal) => listen(process, daemon, labels, signal),
  };
};

const hasLabels = (
  labels: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): boolean => Object.entries(wanted).every(([key, value]) => labels[key] === value);

const listingOf = ({ id, request, state }: Container): ContainerListing => ({
  id,
  name: request.name,
  state,
  labels: request.labels,
});

const viewOf = (container: Container) => ({
  ...listingOf(container),
  exitCode: container.exitCode,
  addresses: container.state === "running" ? ["10.0.0.2"] : [],
  health: "none" as const,
  startedAtMs: container.startedAtMs,
  pid: container.pid,
  mounts: container.request.mounts,
});

/** Events of before the subscription, and of around an outage, are lost. */
async function* listen(
  process: Process,
  daemon: Daemon,
  labels: Readonly<Record<string, string>>,
  signal: AbortSignal,
): AsyncGenerator<ContainerEvent> {
  const heard: ContainerEvent[] = [];
  let wake: () => void = () => undefined;
  daemon.subscribe((event) => {
    if (!hasLabels(event.labels, labels)) return;
    process.deliver(() => {
      heard.push(event);
      wake();
    });
  });
  while (!signal.aborted) {
    const next = heard.shift();
    if (next !== undefined) yield next;
    else {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
}
