/**
 * One Docker engine, as small as the node's functions need it. Which container may run, and when,
 * is not decided here. Every call is bounded in time and takes a signal; errors are RetryableError
 * (engine away, busy, failed) or TerminalError (the same call would fail again).
 */
import { homedir } from "node:os";
import { join } from "node:path";
import Docker from "dockerode";
import type { ContainerSpec } from "../workflows/container-spec.ts";
import { makeContainerCalls } from "./docker-containers.ts";
import { callEngine } from "./docker-errors.ts";
import { makeImageCalls } from "./docker-images.ts";
import { makeStreamCalls } from "./docker-streams.ts";
import type { ImageProgress } from "./pull-progress.ts";
import { readRegistryCredentials } from "./registry-credentials.ts";

export interface EngineInfo {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly version: string;
  readonly rootDirectory: string;
}

export interface ImageRequest {
  readonly reference: string;
  readonly onProgress?: (progress: ImageProgress) => void;
}

export interface EnsuredImage {
  readonly imageId: string;
  /** `sha256:…` of the manifest at its registry; null for an image that was built or imported here. */
  readonly digest: string | null;
  /** `local-only`: the registry was not asked or gave no answer, so the local image was taken. */
  readonly source: "present" | "pulled" | "local-only";
}

export interface BindMount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

export interface ContainerRequest {
  readonly name: string;
  /** Win over the labels of the spec: the agent finds its containers by them. */
  readonly labels: Readonly<Record<string, string>>;
  readonly spec: ContainerSpec;
  readonly mounts: readonly BindMount[];
  readonly imageId: string;
  /** An existing network of the engine; default: its bridge. */
  readonly network?: string;
}

export type StopOutcome =
  /** `killed`: it did not end within the grace period. */
  | { readonly stopped: "clean" | "killed"; readonly exitCode: number }
  | { readonly stopped: "absent"; readonly exitCode: null };

export type ContainerStatus =
  | "created"
  | "running"
  | "paused"
  | "restarting"
  | "removing"
  | "exited"
  | "dead";

export interface ContainerView {
  readonly id: string;
  readonly name: string;
  readonly state: ContainerStatus;
  /** 0 until it has ended. */
  readonly exitCode: number;
  readonly addresses: readonly string[];
  /** What the engine's own probing says; `none` without a health check. */
  readonly health: "none" | "starting" | "healthy" | "unhealthy";
  readonly startedAtMs: number | null;
  /** Of its first process, as this machine counts; null while it does not run. */
  readonly pid: number | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly mounts: readonly BindMount[];
}

export interface ContainerListing {
  readonly id: string;
  readonly name: string;
  readonly state: ContainerStatus;
  readonly labels: Readonly<Record<string, string>>;
}

export interface MountingContainer extends ContainerListing {
  readonly source: string;
}

export interface ContainerEvent {
  /** The engine's word: `start`, `die`, `oom`, `health_status: unhealthy`, … */
  readonly action: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly atMs: number;
}

export interface ExecRequest {
  readonly name: string;
  readonly command: readonly string[];
  readonly timeoutMs: number;
}

export interface ExecResult {
  /** Null when the time ran out. */
  readonly exitCode: number | null;
  /** Standard output and error as they came, cut at 64 KiB. */
  readonly output: string;
  readonly isTimedOut: boolean;
}

export interface DockerEngine {
  ping(signal: AbortSignal): Promise<void>;
  info(signal: AbortSignal): Promise<EngineInfo>;
  /** Pulls what is missing. Codes: `image-not-found`, `image-denied`, `registry-unreachable`. */
  ensureImage(request: ImageRequest, signal: AbortSignal): Promise<EnsuredImage>;
  /**
   * Creates, does not start. No port is published: the gate is the only opener of ports. A container
   * of that name with the same labels is taken as it is. Code `mount-source-missing` when a source
   * is gone; the engine never makes one.
   */
  createContainer(
    request: ContainerRequest,
    signal: AbortSignal,
  ): Promise<{ readonly id: string; readonly isReused: boolean }>;
  /** Idempotent. */
  startContainer(name: string, signal: AbortSignal): Promise<void>;
  /** The image's stop signal, then SIGKILL after the grace period. Idempotent. */
  stopContainer(name: string, graceMs: number, signal: AbortSignal): Promise<StopOutcome>;
  /** Also when it runs. Idempotent. */
  removeContainer(name: string, signal: AbortSignal): Promise<void>;
  inspect(name: string, signal: AbortSignal): Promise<ContainerView | null>;
  /** In every state, those that carry all of these labels. */
  listContainers(
    labels: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<ContainerListing[]>;
  /** In every state, whoever made them: a mount of the directory, of one below it or above it. */
  containersMounting(directory: string, signal: AbortSignal): Promise<MountingContainer[]>;
  /** When the time runs out, the command is killed. */
  exec(request: ExecRequest, signal: AbortSignal): Promise<ExecResult>;
  /** The last lines, oldest first. */
  logs(name: string, tailLines: number, signal: AbortSignal): Promise<string[]>;
  /**
   * Reconnects when the engine restarts, and ends at the abort. Around an outage events may be lost
   * or come twice: look at the containers again from time to time.
   */
  events(
    labels: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): AsyncIterable<ContainerEvent>;
}

export interface DockerOptions {
  readonly socketPath: string;
  /** What `docker login` writes; default: that of the user who runs this process. */
  readonly credentialsFile?: string;
}

export const connectDocker = (options: DockerOptions): DockerEngine => {
  const docker = new Docker({ socketPath: options.socketPath });
  const file = options.credentialsFile ?? join(homedir(), ".docker", "config.json");
  return {
    ping: async (signal) => {
      await callEngine("ping", signal, () => docker.ping());
    },
    info: (signal) => callEngine("info", signal, () => readInfo(docker)),
    ...makeImageCalls(docker, (registry) => readRegistryCredentials(file, registry)),
    ...makeContainerCalls(docker),
    ...makeStreamCalls(docker),
  };
};

const readInfo = async (docker: Docker): Promise<EngineInfo> => {
  const info = await docker.info();
  return {
    cpus: info.NCPU,
    memoryBytes: info.MemTotal,
    version: info.ServerVersion,
    rootDirectory: info.DockerRootDir,
  };
};
