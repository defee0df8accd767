/**
 * The Docker daemon of a machine: it lives on when the agent dies, executes what it was once handed,
 * and restarts nothing. Its containers run the model application.
 */
import { closeSync, existsSync, openSync } from "node:fs";
import { basename } from "node:path";
import type {
  BindMount,
  ContainerEvent,
  ContainerRequest,
  ContainerStatus,
} from "../../adapters/docker-engine.ts";
import { type OurContainer, parseLabels } from "../../functions/container-names.ts";
import { RetryableError, TerminalError } from "../../volume/errors.ts";
import { behaviourOf, noteStart } from "./application.ts";
import type { World } from "./world.ts";

export interface Container {
  readonly id: string;
  readonly request: ContainerRequest;
  readonly ours: OurContainer | null;
  state: ContainerStatus;
  exitCode: number;
  startedAtMs: number | null;
  /** Of its first process, while it runs. No number is given twice on a machine. */
  pid: number | null;
  /** Its start was executed long after it was asked for. */
  isLate: boolean;
  /** The mounted directories, held open while it runs. */
  held: readonly { readonly volume: string; readonly descriptor: number }[];
}

export interface Daemon {
  readonly containers: ReadonlyMap<string, Container>;
  isDown: boolean;
  /** The next start is executed so much later than it is answered. */
  lateStartMs: number | null;
  /** Containers do not heed their stop signal. */
  isDeaf: boolean;
  create(request: ContainerRequest): Container & { readonly isReused: boolean };
  start(name: string): void;
  /** The process ends after a while, if it heeds the signal. */
  signal(name: string, signal: "TERM" | "KILL"): void;
  remove(name: string): void;
  /** All containers end at once, without a word to them. */
  endAll(): void;
  subscribe(hear: (event: ContainerEvent) => void): void;
}

/** Where a running container writes, whatever the directories are called by now. */
export const directoriesOf = ({ held }: Container) =>
  held.map(({ volume, descriptor }) => ({ volume, directory: `/proc/self/fd/${descriptor}` }));

const END_MS_MAX = 3_000;

export const createDaemon = (world: World, name: string, nextPid: () => number): Daemon => {
  const containers = new Map<string, Container>();
  let hearers: ((event: ContainerEvent) => void)[] = [];
  let created = 0;
  /** What a daemon was handed and has not done dies with it. */
  let lives = 0;
  const tell = (action: string, container: Container): void => {
    const { name: of, labels } = container.request;
    const event = { action, name: of, labels, atMs: world.nowMs() };
    for (const hear of hearers) hear(event);
  };
  const end = (container: Container, exitCode: number): void => {
    if (container.state !== "running") return;
    container.state = "exited";
    container.exitCode = exitCode;
    for (const { descriptor } of container.held) closeSync(descriptor);
    container.held = [];
    container.pid = null;
    world.note(`${name} container ${container.request.name} ends`);
    tell("die", container);
  };
  const find = (wanted: string): Container => {
    const found = containers.get(wanted);
    if (found !== undefined) return found;
    throw new TerminalError(`no container ${wanted}`, { code: "docker-not-found" });
  };
  const run = (container: Container): void => {
    if (container.state === "running" || !containers.has(container.request.name)) return;
    container.state = "running";
    container.startedAtMs = world.nowMs();
    container.pid = nextPid();
    container.held = container.request.mounts.map(({ source, target }) => ({
      volume: basename(target),
      descriptor: openSync(source, "r"),
    }));
    const { ours } = container;
    world.note(`${name} container ${container.request.name} runs`);
    for (const { directory } of directoriesOf(container)) {
      if (ours !== null) noteStart(directory, ours.epoch);
    }
    if (behaviourOf(container.request.spec.image) === "crashes") {
      world.after(world.random.between(50, 2_000), () => end(container, 1));
    }
  };
  const daemon: Daemon = {
    containers,
    isDown: false,
    lateStartMs: null,
    isDeaf: false,
    create: (request) => {
      const known = containers.get(request.name);
      if (known !== undefined) return { ...known, isReused: true };
      refuseMissing(request.mounts);
      created += 1;
      const container: Container = {
        id: `${name}-${created}`,
        request,
        ours: parseLabels(request.labels),
        state: "created",
        exitCode: 0,
        startedAtMs: null,
        pid: null,
        isLate: false,
        held: [],
      };
      containers.set(request.name, container);
      return { ...container, isReused: false };
    },
    start: (wanted) => {
      const container = find(wanted);
      const lateMs = daemon.lateStartMs;
      if (lateMs === null) {
        refuseMissing(container.request.mounts);
        run(container);
        return;
      }
      daemon.lateStartMs = null;
      const life = lives;
      world.after(lateMs, () => {
        if (life !== lives) return;
        if (daemon.isDown || !container.request.mounts.every(({ source }) => existsSync(source))) {
          world.note(`${name} a late start of ${wanted} fails`);
        } else {
          container.isLate = true;
          run(container);
        }
      });
      throw new RetryableError(`start ${wanted}: no answer`, { code: "docker-timeout" });
    },
    signal: (wanted, signal) => {
      const container = find(wanted);
      if (signal === "KILL") end(container, 137);
      else if (!daemon.isDeaf) {
        world.after(world.random.between(10, END_MS_MAX), () => end(container, 0));
      }
    },
    remove: (wanted) => {
      const container = containers.get(wanted);
      if (container === undefined) return;
      end(container, 137);
      containers.delete(wanted);
    },
    endAll: () => {
      hearers = [];
      lives += 1;
      for (const container of containers.values()) end(container, 255);
    },
    subscribe: (hear) => {
      hearers = [...hearers, hear];
    },
  };
  return daemon;
};

const refuseMissing = (mounts: readonly BindMount[]): void => {
  const missing = mounts.find(({ source }) => !existsSync(source));
  if (missing === undefined) return;
  throw new TerminalError(`bind source path does not exist: ${missing.source}`, {
    code: "mount-source-missing",
  });
};
