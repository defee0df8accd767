/** What a node answers to a plan's question. Written once, read and deleted by whoever asked. */
import * as z from "zod";
import { NodeId, ProjectId, SnapshotId, VolumeName } from "../../workflows/ids.ts";

/** Begins with the time of the question in milliseconds, by which an answer nobody took is known. */
export const MeasureRequestId = z.string().regex(/^\d{13,15}-[0-9a-f]{8}$/);
export type MeasureRequestId = z.infer<typeof MeasureRequestId>;

/** Nobody waits for an answer as long as this; clocks of nodes may differ by some seconds. */
export const QUESTION_STALE_MS = 60_000;

export const askedAtMs = (requestId: MeasureRequestId): number => Number.parseInt(requestId, 10);

export const VolumeMeasureResult = z.object({
  files: z.int().nonnegative(),
  bytes: z.int().nonnegative(),
  /** Changed, or possibly so, since `since`: at most what the next snapshot reads. */
  dirtyFiles: z.int().nonnegative(),
  dirtyBytes: z.int().nonnegative(),
  /** The snapshot that the next one builds on; null: the next one stores everything. */
  since: SnapshotId.nullable(),
});
export type VolumeMeasureResult = z.infer<typeof VolumeMeasureResult>;

export const MeasureResult = z.object({
  project: ProjectId,
  requestId: MeasureRequestId,
  node: NodeId,
  atMs: z.int(),
  diskFreeBytes: z.int().nonnegative(),
  /** The project's volumes that the node owns and has at hand. */
  volumes: z.record(VolumeName, VolumeMeasureResult),
});
export type MeasureResult = z.infer<typeof MeasureResult>;
