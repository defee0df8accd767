/** What a node says of itself in its heartbeat: capacity, labels, what it holds warm. */
import * as z from "zod";
import { Epoch, NodeId, ProjectId, SnapshotId, VolumeName } from "../ids.ts";

export const WarmVolume = z.object({
  project: ProjectId,
  volume: VolumeName,
  epoch: Epoch,
  snapshotId: SnapshotId.nullable(),
  bytes: z.int().nonnegative(),
});
export type WarmVolume = z.infer<typeof WarmVolume>;

export const NodeStatus = z.object({
  node: NodeId,
  bootId: z.string(),
  version: z.string(),
  /** Where clients and edges reach the node's published ports. */
  address: z.string(),
  /** Where edges enter the node; absent: they can't. */
  doorPort: z.int().min(1).max(65_535).optional(),
  atMs: z.int(),
  labels: z.record(z.string(), z.string()),
  cpus: z.number().positive(),
  memoryBytes: z.int().positive(),
  /** Memory limits of the containers that run there, added up. */
  memoryReservedBytes: z.int().nonnegative(),
  diskFreeBytes: z.int().nonnegative(),
  containerCount: z.int().nonnegative(),
  /** Host ports that are taken, and by which project. */
  ports: z.array(z.object({ port: z.int(), project: z.string() })),
  warm: z.array(WarmVolume),
  /** Whose containers or data it has. */
  projects: z.array(ProjectId).optional(),
  /** Cordoned: takes nothing new. */
  cordoned: z.boolean(),
});
export type NodeStatus = z.infer<typeof NodeStatus>;
