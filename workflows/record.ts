/**
 * The project record: all that must change together, in one object. Revision N is immutable and
 * created once; see docs/protocol.md. Only schemas and their types stand here: what may happen to a
 * record is in deploy/, how it is stored is an adapter's business.
 */
import * as z from "zod";
import { ContainerSpec, VolumeSettings } from "./container-spec.ts";
import { ContainerOutcome } from "./deploy/container-outcome.ts";
import { Phase } from "./deploy/deploy-phase.ts";
import { OwedReplacement } from "./deploy/owed-replacement.ts";
import {
  CommitId,
  ContainerName,
  DeployId,
  Epoch,
  LeaseSession,
  NodeId,
  ProjectId,
  Revision,
  SnapshotId,
  VolumeName,
} from "./ids.ts";
import { Encryption } from "./keys/encryption.ts";
import { ProjectSettings } from "./project-settings.ts";
import { Publication } from "./publish/publication.ts";
import { Pin, SnapshotTry, VolumePlace } from "./snapshots/snapshot-notes.ts";

/** The newest record schema this code understands; a newer one is refused and left untouched. */
export const RECORD_SCHEMA = 1;

/** A snapshot as the record knows it. */
export const SnapshotRef = z.strictObject({
  id: SnapshotId,
  /** The epoch of the writer whose data it holds. */
  epoch: Epoch,
  takenAtMs: z.int(),
  /** Content digest: equal content has an equal digest, on whichever node it was computed. */
  digest: z.string(),
  files: z.int().nonnegative(),
  bytes: z.int().nonnegative(),
  /** Bytes that this snapshot added to the store. */
  storedBytes: z.int().nonnegative(),
  /** `final`: taken stopped. `live`: taken while the container ran. */
  kind: z.enum(["final", "live"]),
  /** `killed`: a container outlived its grace period, so the data are crash-consistent. */
  stopped: z.enum(["clean", "killed", "running"]),
  deployId: DeployId.nullable(),
});
export type SnapshotRef = z.infer<typeof SnapshotRef>;

/** What the owner's directory of the current epoch began from. */
export const Origin = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("empty") }),
  z.strictObject({ kind: z.literal("snapshot"), snapshotId: SnapshotId }),
  /**
   * The same node's own directory: aborted drains changed nothing in it. `epoch` is the one before
   * the first of these drains; the directory bears its name, or that of a later one, if the container
   * started again between two drains.
   */
  z.strictObject({ kind: z.literal("local"), epoch: Epoch }),
]);
export type Origin = z.infer<typeof Origin>;

/** Data that a node kept aside because another copy became the volume. Never overwritten. */
export const Branch = z.strictObject({
  node: NodeId,
  epoch: Epoch,
  keptAtMs: z.int(),
  bytes: z.int().nonnegative(),
  reason: z.string(),
  /** When its newest file was changed; null where nobody looked. */
  changedAtMs: z.int().nullable().default(null),
  /** When its node was asked for a snapshot of it, and when to let go of it. */
  wantedAtMs: z.int().optional(),
  droppedAtMs: z.int().optional(),
  /** The snapshot of it, once its node was asked for one. */
  snapshotId: SnapshotId.nullable().default(null),
});
export type Branch = z.infer<typeof Branch>;

/** A node's data that were given up for the last committed snapshot, and on whose word. */
export const Loss = z.strictObject({
  node: NodeId,
  /** The epoch that the lost node wrote under. */
  epoch: Epoch,
  atMs: z.int(),
  acceptedBy: z.string(),
  /** What the volume went on from; null: it had no snapshot, all of it was given up. */
  snapshotId: SnapshotId.nullable(),
  /** Age of that snapshot: writes of no longer ago than this may be missing. */
  windowMs: z.int().nonnegative().nullable(),
});
export type Loss = z.infer<typeof Loss>;

export const VolumeState = z.strictObject({
  settings: VolumeSettings,
  /** Whose disk holds the newest data. Null: detached (the head holds all), or never used. */
  owner: NodeId.nullable(),
  epoch: Epoch,
  origin: Origin,
  head: SnapshotRef.nullable(),
  /** Restore points, oldest first; the head is among them. */
  snapshots: z.array(SnapshotRef),
  branches: z.array(Branch),
  /** Newest last. */
  losses: z.array(Loss).default([]),
  /**
   * The session of the owner's lease whose guard watches this volume: only the end of this very one
   * lets another node go on without the owner. Null: none does, so that the volume waits.
   */
  lease: LeaseSession.nullable().default(null),
  /** Number of the next snapshot outside a deploy: what an attempt of a lower one wrote alone is garbage. */
  sequence: z.int().nonnegative().default(0),
  /** Requests for a snapshot now, which the owner owes. */
  requests: z.array(z.strictObject({ id: z.string(), atMs: z.int() })).default([]),
  /** The last tries, oldest first. */
  tries: z.array(SnapshotTry).default([]),
  pins: z.array(Pin).default([]),
  /** Of a clone: the snapshot that it began as, and to whose objects it may still refer. */
  source: VolumePlace.extend({ snapshotId: SnapshotId }).nullable().default(null),
  /** Other nodes that keep its head at hand, as `standby` asks for. */
  standbys: z.array(NodeId).default([]),
  /** Of a volume with `publish: s3`; absent or null: none of its files are in the bucket. */
  publication: Publication.nullable().optional(),
});
export type VolumeState = z.infer<typeof VolumeState>;

export const ContainerState = z.strictObject({
  spec: ContainerSpec,
  node: NodeId,
  epoch: Epoch,
  deployId: DeployId,
});
export type ContainerState = z.infer<typeof ContainerState>;

/** A container in a deploy: what runs now (null: new) and what shall run (null: removed). */
export const ContainerMove = z.strictObject({
  from: ContainerState.nullable(),
  to: z.strictObject({ spec: ContainerSpec, node: NodeId }).nullable(),
});
export type ContainerMove = z.infer<typeof ContainerMove>;

/** One pre-copy round of one volume. */
export const CopyRound = z.strictObject({
  round: z.int().positive(),
  snapshotId: SnapshotId,
  changedBytes: z.int().nonnegative(),
  storedBytes: z.int().nonnegative(),
  durationMs: z.int().nonnegative(),
  /** When it ended; what was written since it began is not in it. */
  takenAtMs: z.int().optional(),
  /** Every object of it was seen in the store, so that the seal need not look again. */
  isVerified: z.boolean().optional(),
  /** Why `before_copy` failed, if it did: the round was made without it. */
  hookFailure: z.string().optional(),
});
export type CopyRound = z.infer<typeof CopyRound>;

/** What a target did to have the volume; kept for the receipt. */
export const HydrateSummary = z.strictObject({
  snapshotId: SnapshotId.nullable(),
  digest: z.string(),
  files: z.int().nonnegative(),
  bytes: z.int().nonnegative(),
  fetchedBytes: z.int().nonnegative(),
  reusedBytes: z.int().nonnegative(),
  durationMs: z.int().nonnegative(),
});
export type HydrateSummary = z.infer<typeof HydrateSummary>;

export const VolumeMove = z.strictObject({
  settings: VolumeSettings,
  /** The node that writes it now; null: nobody does. */
  from: z.strictObject({ node: NodeId, epoch: Epoch }).nullable(),
  /** The node that shall write it; null: detached by this deploy. */
  to: NodeId.nullable(),
  /** A snapshot to go back to, instead of the one sealed in this deploy. */
  restore: SnapshotId.nullable(),
  copies: z.array(CopyRound),
  /** What the target has staged before the stop: its last fetch begins from there. */
  prepared: HydrateSummary.optional(),
  sealed: SnapshotRef.nullable(),
  /** How long the final snapshot took. */
  sealMs: z.int().nonnegative().optional(),
  hydrated: HydrateSummary.nullable(),
});
export type VolumeMove = z.infer<typeof VolumeMove>;

export const TimelineEntry = z.strictObject({ phase: z.string(), atMs: z.int() });
export type TimelineEntry = z.infer<typeof TimelineEntry>;

/** Who asked for what. `ref` is resolved from git when the deploy is planned; `commit` pins one. */
export const Desired = z.strictObject({
  requestId: z.string().min(1).max(200),
  /** The deploy that the request becomes, if it becomes one. */
  deployId: DeployId,
  trigger: z.enum(["push", "queue", "cli", "api", "drain", "failover"]),
  ref: z.string(),
  commit: CommitId.optional(),
  /** What the sender believes the ref to be; only tells a superseded push from a repeated one. */
  commitHint: CommitId.optional(),
  target: NodeId.optional(),
  /** Nodes to leave: nothing is placed there, and what is there moves. */
  avoid: z.array(NodeId).optional(),
  /** Deploy even when nothing changed. */
  force: z.boolean(),
  /** Start volumes from these snapshots instead of their newest data. */
  restore: z.record(VolumeName, SnapshotId),
  /** The operator accepts that data newer than the head stay behind on an unreachable node. */
  acceptLoss: z.boolean(),
  /** Go on although the predicted pause is longer than a volume's `max_pause`. */
  allowLongerPause: z.boolean().optional(),
  /** Volumes whose inbox shall be taken in: what mounts them is started anew. */
  take: z.array(VolumeName).optional(),
  requestedAtMs: z.int(),
});
export type Desired = z.infer<typeof Desired>;

export const Deploy = z.strictObject({
  id: DeployId,
  commit: CommitId,
  ref: z.string(),
  subject: z.string(),
  request: Desired,
  containers: z.record(ContainerName, ContainerMove),
  volumes: z.record(VolumeName, VolumeMove),
  phase: Phase,
  timeline: z.array(TimelineEntry),
  outcomes: z.record(ContainerName, ContainerOutcome),
  /** As the last round of the pre-copy left it; null while there is nothing to tell from. */
  predictedPauseMs: z.int().nonnegative().nullable(),
});
export type Deploy = z.infer<typeof Deploy>;

export const DeployResult = z.enum([
  "deployed",
  "unchanged",
  "superseded",
  "cancelled",
  "aborted",
  "rolled-back",
  "failed",
]);
export type DeployResult = z.infer<typeof DeployResult>;

/** An ended deploy: what is kept of it in the record (bounded) and, for ever, in its receipt. */
export const EndedDeploy = z.strictObject({
  id: DeployId,
  commit: CommitId.nullable(),
  ref: z.string(),
  subject: z.string(),
  requestId: z.string(),
  result: DeployResult,
  reason: z.string().nullable(),
  startedAtMs: z.int(),
  endedAtMs: z.int(),
  /** From the stop of the old containers to the first successful health check of the new ones. */
  gapMs: z.int().nullable(),
  predictedPauseMs: z.int().nonnegative().nullable(),
  timeline: z.array(TimelineEntry),
  containers: z.record(
    ContainerName,
    z.strictObject({ from: NodeId.nullable(), to: NodeId.nullable(), outcome: ContainerOutcome }),
  ),
  volumes: z.record(VolumeName, VolumeMove.omit({ settings: true })),
  /** The receipt object stands in the store. */
  archived: z.boolean(),
});
export type EndedDeploy = z.infer<typeof EndedDeploy>;

export const ProjectState = z.strictObject({
  project: ProjectId,
  settings: ProjectSettings,
  /** The last epoch handed out. Only grows, for as long as the project's name exists. */
  epochCounter: Epoch,
  /** The commit whose containers run (null before the first deploy). */
  commit: CommitId.nullable(),
  containers: z.record(ContainerName, ContainerState),
  volumes: z.record(VolumeName, VolumeState),
  deploy: Deploy.nullable(),
  desired: Desired.nullable(),
  /** Newest last. */
  history: z.array(EndedDeploy),
  /** Deploys that ended in the volumes' current epochs: what they wrote alone is garbage. */
  endedAttempts: z.array(DeployId),
  /** Null: what the project stores is not sealed. */
  encryption: Encryption.nullable().default(null),
  /** Null: nothing that a lost node ran waits for a place. */
  owedReplacement: OwedReplacement.nullable().default(null),
});
export type ProjectState = z.infer<typeof ProjectState>;

/** One revision as it is stored. */
export const RecordRevision = z.strictObject({
  schema: z.literal(RECORD_SCHEMA),
  rev: Revision,
  /** Names this very write, so that a writer whose reply was lost recognises its own revision. */
  writeId: z.uuid(),
  prevWriteId: z.uuid().nullable(),
  writtenAtMs: z.int(),
  state: ProjectState,
});
export type RecordRevision = z.infer<typeof RecordRevision>;
