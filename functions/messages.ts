/**
 * Every message on a queue, in and out. Messages are hints: small, ids only, and whoever gets one
 * reads the record again. Events from outside (CI systems, scripts) come on the events queue. What a
 * newer sender says beyond is left out; what would change the meaning of the rest raises the version,
 * which an older receiver leaves to the others.
 */
import * as z from "zod";
import type { StepKind } from "../workflows/deploy/steps.ts";
import {
  CommitId,
  DeployId,
  Epoch,
  LeaseSession,
  NodeId,
  ProjectId,
  Revision,
  SnapshotId,
  VolumeName,
} from "../workflows/ids.ts";
import { Branch, SnapshotRef } from "../workflows/record.ts";
import { MeasureRequestId } from "./measure-volume/measure-result.ts";
import { WarmRequestId } from "./warm-volume/warm-result.ts";

const version = z.literal(1).default(1);

/** Asks for a deploy, as a push would. `id` makes a repeat harmless; without it each is a request. */
export const DeployRequested = z.object({
  type: z.literal("deploy.requested"),
  version,
  id: z.string().min(1).max(150).optional(),
  project: ProjectId,
  /** Default: the project's ref. */
  ref: z.string().startsWith("refs/").optional(),
  commit: CommitId.optional(),
  target: NodeId.optional(),
  force: z.boolean().default(false),
  restore: z.record(VolumeName, SnapshotId).default({}),
  acceptLoss: z.boolean().default(false),
  allowLongerPause: z.boolean().default(false),
  /** Volumes whose inbox shall be taken in now. */
  take: z.array(VolumeName).max(100).default([]),
});
export type DeployRequested = z.infer<typeof DeployRequested>;

export const DeployCancelRequested = z.object({
  type: z.literal("deploy.cancel.requested"),
  version,
  project: ProjectId,
  deployId: DeployId,
});

/** Asks for restore points now, of volumes that a node writes; none named: of all of them. */
export const SnapshotRequested = z.object({
  type: z.literal("snapshot.requested"),
  version,
  id: z.string().min(1).max(150).optional(),
  project: ProjectId,
  volumes: z.array(VolumeName).default([]),
});

/** Asks for a node to be left by all that runs there, and to be given nothing new. */
export const NodeDrainRequested = z.object({
  type: z.literal("node.drain.requested"),
  version,
  id: z.string().min(1).max(150).optional(),
  node: NodeId,
});

/** What may come on the events queue from outside. */
export const ExternalEvent = z.discriminatedUnion("type", [
  DeployRequested,
  DeployCancelRequested,
  SnapshotRequested,
  NodeDrainRequested,
]);
export type ExternalEvent = z.infer<typeof ExternalEvent>;

/** Look at a project: something was requested, reported, or is overdue. */
export const ProjectHint = z.object({
  type: z.literal("project.hint"),
  version,
  project: ProjectId,
  /** A pending request to take up, where the hint is about one. */
  requestId: z.string().optional(),
  /** A step whose report has come, where the hint is about one: no other is looked for. */
  reported: z.object({ deployId: DeployId, step: z.string(), node: NodeId }).optional(),
  /** Send outstanding steps again, although nothing changed: the sweep found them late. */
  resend: z.boolean().default(false),
});
export type ProjectHint = z.infer<typeof ProjectHint>;

/** A deploy ended: what only it needed can go. */
export const GarbageHint = z.object({
  type: z.literal("garbage.hint"),
  version,
  project: ProjectId,
});

/** The record moved on: tell its subscribers. */
export const EventsHint = z.object({
  type: z.literal("events.hint"),
  version,
  project: ProjectId,
});

/** A node's lease object has news of what it guards; read it. */
export const LeaseHeld = z.object({
  type: z.literal("lease.held"),
  version,
  project: ProjectId,
  node: NodeId,
});

/** The session of a node's lease was seen to its end. It stays over, however late this arrives. */
export const LeaseExpired = z.object({
  type: z.literal("lease.expired"),
  version,
  project: ProjectId,
  node: NodeId,
  session: LeaseSession,
});
export type LeaseExpired = z.infer<typeof LeaseExpired>;

/** A node keeps data aside, and says so until the record knows. */
export const BranchKept = z.object({
  type: z.literal("branch.kept"),
  version,
  project: ProjectId,
  volume: VolumeName,
  branch: Branch.strip(),
});

/** A node has taken the snapshot of a branch that the record asks for. */
export const BranchSaved = z.object({
  type: z.literal("branch.saved"),
  version,
  project: ProjectId,
  volume: VolumeName,
  node: NodeId,
  epoch: Epoch,
  snapshot: SnapshotRef.strip(),
});

export const ControlMessage = z.discriminatedUnion("type", [
  DeployRequested,
  DeployCancelRequested,
  SnapshotRequested,
  ProjectHint,
  GarbageHint,
  EventsHint,
  LeaseHeld,
  LeaseExpired,
  BranchKept,
  BranchSaved,
  NodeDrainRequested,
]);
export type ControlMessage = z.infer<typeof ControlMessage>;

/** The record was there, or further: read from it on. Absent: sent by hand, or by an older version. */
const NewestRevision = Revision.optional();

/** A node owes a deploy a step. The message's type names the function; the record says the rest. */
export const StepMessage = z.object({
  type: z.enum(["volume.snapshot", "volume.hydrate", "containers.stop", "containers.start"]),
  version,
  project: ProjectId,
  deployId: DeployId,
  step: z.string(),
  rev: NewestRevision,
});
export type StepMessage = z.infer<typeof StepMessage>;

/** The function that performs each kind of step. */
export const STEP_FUNCTIONS = {
  copy: "volume.snapshot",
  prepare: "volume.hydrate",
  hydrate: "volume.hydrate",
  seal: "containers.stop",
  unstart: "containers.stop",
  start: "containers.start",
  return: "containers.start",
} as const satisfies Record<StepKind, StepMessage["type"]>;

/** The record moved on in a way that concerns the node: read it, and do what it says. */
export const NodeHint = z.object({
  type: z.literal("node.hint"),
  version,
  project: ProjectId,
  rev: NewestRevision,
});
export type NodeHint = z.infer<typeof NodeHint>;

/** A plan asks how large the project's volumes on the node are, and what of them is dirty. */
export const VolumeMeasure = z.object({
  type: z.literal("volume.measure"),
  version,
  project: ProjectId,
  requestId: MeasureRequestId,
});
export type VolumeMeasure = z.infer<typeof VolumeMeasure>;

/** Somebody wants a volume's newest snapshot at hand on the node. */
export const VolumeWarm = z.strictObject({
  type: z.literal("volume.warm"),
  version,
  project: ProjectId,
  volume: VolumeName,
  requestId: WarmRequestId,
});
export type VolumeWarm = z.infer<typeof VolumeWarm>;

export const NodeMessage = z.discriminatedUnion("type", [
  StepMessage,
  NodeHint,
  VolumeMeasure,
  VolumeWarm,
]);
export type NodeMessage = z.infer<typeof NodeMessage>;

/** A volume's published files are not those of its head: see what the record says, and mend it. */
export const VolumePublish = z.object({
  type: z.literal("volume.publish"),
  version,
  project: ProjectId,
  volume: VolumeName,
});
export type VolumePublish = z.infer<typeof VolumePublish>;

/** Apart from the control queue: a publish may take long, and no deploy may wait for one. */
export const PUBLISH_QUEUE = "bagage-publish";

/** The ways into the project's containers may have changed. */
export const EdgeHint = z.object({
  type: z.literal("edge.hint"),
  version,
  project: ProjectId,
});
export type EdgeHint = z.infer<typeof EdgeHint>;

export const edgeQueue = (edge: NodeId): string => `bagage-edge-${edge.replaceAll(".", "_")}`;

export const CONTROL_QUEUE = "bagage-control";
export const nodeQueue = (node: NodeId): string => `bagage-node-${node.replaceAll(".", "_")}`;

/** How the names of all queues above begin. */
export const QUEUE_PREFIX = "bagage-";

/**
 * Queues of installations that share a broker, or an account, bear names of their own. Those of
 * subscribers are named by whoever subscribed, and stay.
 */
export const nameQueues =
  (prefix: string) =>
  (queue: string): string =>
    /^bagage-(?:control|publish|node-|edge-)/.test(queue)
      ? `${prefix}${queue.slice(QUEUE_PREFIX.length)}`
      : queue;
