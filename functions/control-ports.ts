/** What the control functions need of the world; assembled once per process by its entry. */
import type { Logger } from "pino";
import type { EventSender } from "../adapters/event-sender.ts";
import type { ProjectRecords } from "../adapters/project-records.ts";
import type { Traces } from "../adapters/tracing/traces.ts";
import type { ObjectStore } from "../volume/object-store.ts";
import type { CommitId } from "../workflows/ids.ts";

/** A commit as git has it. */
export interface ResolvedCommit {
  readonly commit: CommitId;
  readonly subject: string;
  /** The project file's bytes at that commit; null: there is no such file. */
  readonly file: Uint8Array | null;
}

export interface GitPort {
  /** Null when the ref does not exist (any more). Throws TerminalError for a repository it refuses. */
  resolve(
    request: {
      readonly repository: string;
      readonly ref: string;
      readonly commit: CommitId | undefined;
      readonly file: string;
    },
    signal: AbortSignal,
  ): Promise<ResolvedCommit | null>;
}

export interface ControlPorts {
  readonly store: ObjectStore;
  /** Where a key of its own is set for whoever deletes data; else `store` does that too. */
  readonly collectorStore?: ObjectStore;
  readonly records: ProjectRecords;
  readonly git: GitPort;
  /** Sends a JSON message to a queue by name; may be lost, repeated, reordered. */
  readonly send: (queue: string, message: unknown, signal: AbortSignal) => Promise<void>;
  /** Tells subscribers and forges over HTTP. */
  readonly events: EventSender;
  readonly nowMs: () => number;
  readonly newUuid: () => string;
  readonly log: Logger;
  /** Absent: nobody wants traces. */
  readonly traces?: Traces | undefined;
}
