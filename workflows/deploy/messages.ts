/**
 * What can happen to a project's record, and what the rules answer. Node results arrive as reports:
 * objects created once in the store before any message says so.
 */
import * as z from "zod";
import { ProjectSpec } from "../container-spec.ts";
import {
  CommitId,
  ContainerName,
  DeployId,
  Epoch,
  LeaseSession,
  NodeId,
  ProjectId,
  SnapshotId,
  VolumeName,
} from "../ids.ts";
import { WrappedKey } from "../keys/encryption.ts";
import { NodeStatus } from "../placement/node-status.ts";
import { ProjectSettings } from "../project-settings.ts";
import { Branch, Desired, HydrateSummary, type ProjectState, SnapshotRef } from "../record.ts";
import { Pin, VolumePlace } from "../snapshots/snapshot-notes.ts";
import { ContainerOutcome } from "./container-outcome.ts";

/**
 * What a node found for one volume in one step. The node may be newer than who reads this, so that what
 * it says beyond is left out, here and in all that nodes and control processes tell each other.
 */
export const VolumeReport = z.object({
  snapshot: SnapshotRef.strip().optional(),
  changedBytes: z.int().nonnegative().optional(),
  durationMs: z.int().nonnegative().optional(),
  /** What became of `before_copy`, where it failed. */
  hookFailure: z.string().optional(),
  hydrate: HydrateSummary.strip().optional(),
  branch: Branch.strip().optional(),
});
export type VolumeReport = z.infer<typeof VolumeReport>;

/** A step's result, written once per (deploy, step, node). A failure is a result too. */
export const Report = z.object({
  project: ProjectId,
  deployId: DeployId,
  step: z.string(),
  node: NodeId,
  atMs: z.int(),
  failure: z.object({ code: z.string(), message: z.string() }).nullable(),
  volumes: z.record(VolumeName, VolumeReport),
  containers: z.record(ContainerName, ContainerOutcome.strip()),
  /** The session of the node's lease whose guard watches what it started. */
  lease: LeaseSession.optional(),
});
export type Report = z.infer<typeof Report>;

/** What a deploy that takes a lost node's place is made of. */
export const Replacement = z.strictObject({
  requestId: z.string(),
  deployId: DeployId,
  nodes: z.array(NodeStatus),
});
export type Replacement = z.infer<typeof Replacement>;
/** What a node has to say of a snapshot outside a deploy: taken, or why not. Written once. */
export const SnapshotReport = z.object({
  project: ProjectId,
  volume: VolumeName,
  node: NodeId,
  epoch: Epoch,
  sequence: z.int().nonnegative(),
  /** Requests that it answers; none: it was due by the schedule. */
  requestIds: z.array(z.string()),
  atMs: z.int(),
  snapshot: SnapshotRef.strip().nullable(),
  failure: z.object({ code: z.string(), message: z.string() }).nullable(),
});
export type SnapshotReport = z.infer<typeof SnapshotReport>;

const branchPlace = { volume: VolumeName, node: NodeId, epoch: Epoch };

export const Input = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("project.configured"), settings: ProjectSettings }),
  z.strictObject({ type: z.literal("deploy.requested"), request: Desired }),
  /** The desired commit as git has it, with its project file and the nodes as they are now. */
  z.strictObject({
    type: z.literal("deploy.resolved"),
    requestId: z.string(),
    commit: CommitId,
    subject: z.string(),
    spec: ProjectSpec,
    nodes: z.array(NodeStatus),
    nowMs: z.int(),
  }),
  /** The desired deploy can't be planned at all: no such ref, no or a wrong project file. */
  z.strictObject({
    type: z.literal("deploy.unresolvable"),
    requestId: z.string(),
    commit: CommitId.nullable(),
    reason: z.string(),
    nowMs: z.int(),
  }),
  z.strictObject({
    type: z.literal("report.received"),
    report: Report,
    /** Snapshots of this report whose every object was seen in the store. */
    verifiedSnapshots: z.array(SnapshotId),
    nowMs: z.int(),
  }),
  z.strictObject({ type: z.literal("time.passed"), nowMs: z.int() }),
  /** The nodes as they are now, where volumes want standbys. */
  z.strictObject({ type: z.literal("nodes.seen"), nodes: z.array(NodeStatus), nowMs: z.int() }),
  z.strictObject({ type: z.literal("deploy.cancelled"), deployId: DeployId, nowMs: z.int() }),
  /** An operator's word that a node will not come back, or that nothing runs on it. */
  z.strictObject({
    type: z.literal("node.lost"),
    node: NodeId,
    nowMs: z.int(),
    acceptedBy: z.string().optional(),
    replacement: Replacement.optional(),
  }),
  /** A session of a node's lease is over for certain: what it guarded has been stopped. */
  z.strictObject({
    type: z.literal("lease.expired"),
    node: NodeId,
    session: LeaseSession,
    nowMs: z.int(),
    replacement: Replacement,
  }),
  /** Time for another try to bring back what a lost node ran. */
  z.strictObject({
    type: z.literal("replacement.due"),
    nowMs: z.int(),
    replacement: Replacement,
  }),
  /** What a node's lease object says of this project: what its guard watches, in which session. */
  z.strictObject({
    type: z.literal("lease.held"),
    node: NodeId,
    session: LeaseSession,
    volumes: z.array(VolumeName),
  }),
  /** Asked for: a snapshot of a branch, or its end. Its node finds it in the record. */
  z.strictObject({ type: z.literal("branch.wanted"), ...branchPlace, nowMs: z.int() }),
  z.strictObject({ type: z.literal("branch.dropped"), ...branchPlace, nowMs: z.int() }),
  /** The snapshot of a branch, and whether every object of it was seen in the store. */
  z.strictObject({
    type: z.literal("branch.saved"),
    ...branchPlace,
    snapshot: SnapshotRef,
    isWhole: z.boolean(),
  }),
  /** A node found that it keeps data aside. */
  z.strictObject({ type: z.literal("branch.kept"), volume: VolumeName, branch: Branch }),
  z.strictObject({ type: z.literal("deploy.archived"), deployId: DeployId }),
  /** Somebody wants a restore point now; no volumes: of all that a node writes. */
  z.strictObject({
    type: z.literal("snapshot.requested"),
    requestId: z.string().min(1).max(200),
    volumes: z.array(VolumeName),
    nowMs: z.int(),
  }),
  z.strictObject({
    type: z.literal("snapshot.reported"),
    report: SnapshotReport,
    /** As the snapshot object says; null also without a snapshot. */
    parent: SnapshotId.nullable(),
    /** The snapshot and every object below it were seen in the store. */
    isWhole: z.boolean(),
    nowMs: z.int(),
  }),
  /** A clone refers to the snapshot: it must stay, whatever the retention rule says. */
  z.strictObject({
    type: z.literal("snapshot.pinned"),
    volume: VolumeName,
    pin: Pin,
  }),
  z.strictObject({
    type: z.literal("snapshot.unpinned"),
    volume: VolumeName,
    by: VolumePlace,
  }),
  /** A volume begins as another one was; its snapshot object stands, its source is pinned. */
  z.strictObject({
    type: z.literal("volume.cloned"),
    volume: VolumeName,
    snapshot: SnapshotRef,
    source: VolumePlace.extend({ snapshotId: SnapshotId }),
  }),
  /** No snapshot of the clone refers to its source any more. */
  z.strictObject({ type: z.literal("volume.detached-from-source"), volume: VolumeName }),
  z.strictObject({ type: z.literal("key.added"), key: WrappedKey, isCurrent: z.boolean() }),
  z.strictObject({ type: z.literal("keys.rewrapped"), keys: z.array(WrappedKey) }),
  /** What is stored from now on is not sealed; what was stays readable with its keys. */
  z.strictObject({ type: z.literal("sealing.ended") }),
  /** A publisher takes its turn, or is still at it. */
  z.strictObject({
    type: z.literal("publication.claimed"),
    volume: VolumeName,
    attempt: z.string(),
    nowMs: z.int(),
    untilMs: z.int(),
  }),
  z.strictObject({
    type: z.literal("publication.ended"),
    volume: VolumeName,
    attempt: z.string(),
    /** Whose files are all there now; null: none are. */
    snapshotId: SnapshotId.nullable(),
  }),
  z.strictObject({
    type: z.literal("publication.failed"),
    volume: VolumeName,
    attempt: z.string(),
    reason: z.string(),
    nowMs: z.int(),
  }),
  z.strictObject({ type: z.literal("publication.disturbed"), volume: VolumeName }),
  z.strictObject({
    type: z.literal("publication.requested"),
    volume: VolumeName,
    full: z.boolean(),
  }),
]);
export type Input = z.infer<typeof Input>;
export type InputOf<T extends Input["type"]> = Extract<Input, { type: T }>;

/** Something worth a line in the log and, later, a message to subscribers. Past tense. */
export interface WorkflowEvent {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** `refused` is an expected answer and names what to do; `unchanged` is what a repeat gets. */
export type Decision =
  | { readonly kind: "changed"; readonly state: ProjectState; readonly events: WorkflowEvent[] }
  | { readonly kind: "unchanged" }
  | {
      readonly kind: "refused";
      readonly code: string;
      readonly message: string;
      readonly hint: string;
    };

export const UNCHANGED: Decision = { kind: "unchanged" };

export const changed = (state: ProjectState, ...events: WorkflowEvent[]): Decision => ({
  kind: "changed",
  state,
  events,
});

export const refused = (code: string, message: string, hint: string): Decision => ({
  kind: "refused",
  code,
  message,
  hint,
});
