/** A Docker engine in memory, whose containers write one small file into each volume and run for ever. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type {
  ContainerListing,
  ContainerRequest,
  ContainerStatus,
  ContainerView,
  DockerEngine,
} from "../../adapters/docker-engine.ts";
import { findMounting } from "../../adapters/docker-mounts.ts";
import { TerminalError } from "../../volume/errors.ts";

interface Container {
  readonly request: ContainerRequest;
  state: Extract<ContainerStatus, "created" | "running" | "exited">;
}

const FILE = "file";
const FILE_BYTES = 1_024;
const QUIET_MS = 3_600_000;

export const createSimulatedDocker = (): DockerEngine => {
  const containers = new Map<string, Container>();
  const all = (): ContainerListing[] => [...containers.values()].map(listingOf);
  return {
    ping: async () => undefined,
    info: async () => ({ cpus: 64, memoryBytes: 2 ** 38, version: "none", rootDirectory: "/" }),
    ensureImage: async ({ reference }) => ({
      ...{ imageId: `sha256:${reference}`, digest: null, source: "present" as const },
    }),
    createContainer: async (request) => {
      const isReused = containers.has(request.name);
      if (!isReused) containers.set(request.name, { request, state: "created" });
      return { id: request.name, isReused };
    },
    startContainer: async (name) => {
      const container = containers.get(name);
      if (container === undefined) throw gone(name);
      container.state = "running";
      for (const { source } of container.request.mounts) {
        if (!existsSync(join(source, FILE)))
          writeFileSync(join(source, FILE), Buffer.alloc(FILE_BYTES, name));
      }
    },
    stopContainer: async (name) => {
      const container = containers.get(name);
      if (container === undefined) return { stopped: "absent", exitCode: null };
      container.state = "exited";
      return { stopped: "clean", exitCode: 0 };
    },
    removeContainer: async (name) => void containers.delete(name),
    inspect: async (name) => {
      const container = containers.get(name);
      return container === undefined ? null : viewOf(container);
    },
    listContainers: async (labels) =>
      all().filter((one) =>
        Object.entries(labels).every(([key, value]) => one.labels[key] === value),
      ),
    containersMounting: async (directory) => {
      const mounts = [...containers.values()].flatMap((container) =>
        container.request.mounts.map(({ source }) => ({ ...listingOf(container), source })),
      );
      return await findMounting(directory, mounts);
    },
    exec: async () => ({ exitCode: 0, output: "", isTimedOut: false }),
    logs: async () => [],
    events: (_labels, signal) => nothing(signal),
  };
};

const gone = (name: string): TerminalError =>
  new TerminalError(`there is no container ${name}`, { code: "container-gone" });

const listingOf = ({ request, state }: Container): ContainerListing => ({
  ...{ id: request.name, name: request.name, state, labels: request.labels },
});

const viewOf = (container: Container): ContainerView => ({
  ...listingOf(container),
  exitCode: 0,
  addresses: ["127.0.0.1"],
  health: "none",
  startedAtMs: 0,
  pid: null,
  mounts: container.request.mounts,
});

/** Nothing ever dies here: the first event is the abort. */
const nothing = (signal: AbortSignal): AsyncIterable<never> => ({
  [Symbol.asyncIterator]: () => ({ next: () => sleep(QUIET_MS, END, { signal, ref: false }) }),
});

const END = { done: true, value: undefined } as const;
