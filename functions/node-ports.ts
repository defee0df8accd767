/** What the functions on a node need of it; assembled once by the agent. */
import type { Logger } from "pino";
import type { Health } from "../adapters/container-health.ts";
import type { DockerEngine } from "../adapters/docker-engine.ts";
import type { FenceStore } from "../adapters/fence-file.ts";
import type { KeyedLock } from "../adapters/keyed-lock.ts";
import type { NodeDisk } from "../adapters/node-disk.ts";
import type { DirectoryUser } from "../adapters/open-files.ts";
import type { ProjectRecords } from "../adapters/project-records.ts";
import type { Traces } from "../adapters/tracing/traces.ts";
import type { HydrateResult } from "../volume/hydrate/hydrate.ts";
import type { Measure, MeasureRequest } from "../volume/measure.ts";
import type { ObjectStore } from "../volume/object-store.ts";
import type { DataKeys } from "../volume/sealing.ts";
import type { SnapshotSummary } from "../volume/write-snapshot.ts";
import type { ContainerSpec } from "../workflows/container-spec.ts";
import type {
  ContainerName,
  LeaseSession,
  NodeId,
  ProjectId,
  VolumeName,
} from "../workflows/ids.ts";
import type { LiveWrappingKeys } from "./project-keys.ts";
import type { ReportMemory } from "./report-memory.ts";
import type { DeploysWithoutSpace } from "./spaces/find-deploy-space.ts";

/** How far the engine is with one volume. */
export interface VolumeProgress {
  /** Of the volume's bytes, those that are dealt with. */
  readonly doneBytes: number;
  /** Null while nobody knows: a snapshot learns the volume's size on its way. */
  readonly totalBytes: number | null;
  /** Bytes that went to the store, or came from it. */
  readonly transferredBytes: number;
}
export type OnVolumeProgress = (progress: VolumeProgress) => void;

/** The volume engine, wherever it runs: its work is long and must not stop the node's other work. */
export interface VolumeEngine {
  writeSnapshot(
    request: {
      readonly prefix: string;
      readonly directory: string;
      readonly indexFile: string;
      readonly parentIndexFile: string;
      readonly snapshotId: string;
      readonly epoch: number;
      readonly attempt: string;
      readonly parent: string | null;
      readonly keys?: DataKeys | undefined;
      readonly repack?: boolean | undefined;
      readonly isStill?: boolean | undefined;
      readonly isRound?: boolean | undefined;
      readonly onProgress?: OnVolumeProgress | undefined;
    },
    signal: AbortSignal,
  ): Promise<SnapshotSummary>;
  hydrate(
    request: {
      readonly prefix: string;
      readonly snapshotId: string;
      readonly keys?: DataKeys | undefined;
      readonly directory: string;
      readonly indexFile: string;
      readonly base: { readonly directory: string; readonly indexFile: string } | null;
      readonly isUrgent?: boolean | undefined;
      readonly onProgress?: OnVolumeProgress | undefined;
    },
    signal: AbortSignal,
  ): Promise<HydrateResult>;
  /** Sizes only: no file's content is read. */
  measure(request: MeasureRequest, signal: AbortSignal): Promise<Measure>;
}

/** Published ports of this node's containers. Closed unless opened here. */
export interface GatePort {
  /** From its return on no new connection is taken. */
  close(project: ProjectId, container: ContainerName): void;
  /**
   * As close; resolves when no request that came through an edge waits for its answer any more, at
   * the latest after the grace.
   */
  drain(project: ProjectId, container: ContainerName, graceMs: number): Promise<void>;
}

/** A container by its first process. */
export interface WatchedContainer {
  readonly project: ProjectId;
  readonly name: string;
  readonly pid: number;
  /** To end by itself, before it is killed; the lease may leave less. */
  readonly graceMs: number;
}

/** This node's right to run volumes that another node may take over. */
export interface LeasePort {
  /** The session that holds at this moment; null: none does. */
  session(): LeaseSession | null;
  /**
   * The lease object and the guard know the volumes when this resolves, with the session that holds
   * then. Throws RetryableError `lease-lost` or `guard-missing`: then nothing of them may start.
   */
  cover(
    project: ProjectId,
    volumes: readonly VolumeName[],
    signal: AbortSignal,
  ): Promise<LeaseSession>;
  /** The guard will end this container with the session. Idempotent. */
  watch(container: WatchedContainer, signal: AbortSignal): Promise<void>;
  /** The project has nothing left on this node that could be taken over. */
  uncover(project: ProjectId): Promise<void>;
}

export interface NodePorts {
  readonly node: NodeId;
  readonly store: ObjectStore;
  readonly records: ProjectRecords;
  readonly disk: NodeDisk;
  readonly fences: FenceStore;
  readonly docker: DockerEngine;
  /** Whoever still uses a directory, container or not. */
  readonly processesUsing: (directory: string) => Promise<DirectoryUser[]>;
  /**
   * True once no process of the container is left, which the engine may take longer to say. False
   * where that can't be seen.
   */
  readonly processesGone: (container: string, signal: AbortSignal) => Promise<boolean>;
  readonly volumes: VolumeEngine;
  readonly gates: GatePort;
  readonly lease: LeasePort;
  /** One at a time per key: starting and fencing of a project, copying of a project, staging. */
  readonly locks: KeyedLock;
  /** Pre-copies under way, so that a drain does not wait for one that nobody needs any more. */
  readonly copies: Map<ProjectId, AbortController>;
  /** Warm copies that are being brought, so that a deploy to this node does not wait for one. */
  readonly warmings: Map<ProjectId, AbortController>;
  /** For projects whose data are sealed. */
  readonly wrappingKeys: LiveWrappingKeys;
  readonly waitHealthy: (
    name: string,
    spec: ContainerSpec,
    timeoutMs: number,
    signal: AbortSignal,
  ) => Promise<Health>;
  readonly sendToControl: (message: unknown, signal: AbortSignal) => Promise<void>;
  readonly nowMs: () => number;
  /** Letters and digits for keys that are never used twice. */
  readonly newToken: () => string;
  readonly log: Logger;
  /** Absent: the store is asked each time. */
  readonly reports?: ReportMemory;
  readonly withoutSpace?: DeploysWithoutSpace;
  /** Absent: nobody wants traces. */
  readonly traces?: Traces | undefined;
}
