/** What the parts of the engine's benchmark share. */
import type { S3StoreOptions } from "../adapters/s3-object-store.ts";
import type { Restic } from "./engine-tools.ts";

export interface EngineBench {
  readonly s3: S3StoreOptions;
  readonly restic: (repository: string) => Restic;
  readonly scratch: string;
  /** 1: an 828 MB database and 20,000 files. */
  readonly scale: number;
  /** How often full snapshots and hydrates are repeated, ours and theirs in turn. */
  readonly rounds: number;
  readonly log: (line: string) => void;
}
