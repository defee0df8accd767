/**
 * What others are told of a project, in the past tense. Derived from the chain of revisions, so that
 * nothing that happened goes untold and nothing is told that did not; see events-between.ts.
 */
import * as z from "zod";
import {
  CommitId,
  ContainerName,
  DeployId,
  Epoch,
  NodeId,
  ProjectId,
  SnapshotId,
  VolumeName,
} from "../ids.ts";
import { DeployResult, Desired, SnapshotRef } from "../record.ts";

/** Null: it was, or shall be, nowhere. */
const Move = z.strictObject({ from: NodeId.nullable(), to: NodeId.nullable() });

const project = { project: ProjectId };
const deploy = { ...project, deployId: DeployId };

/** Told by the store rather than by the record: somebody put an object into the project's bucket. */
export const ObjectCreated = z.strictObject({
  type: z.literal("object.created"),
  ...project,
  bucket: z.string(),
  key: z.string(),
  bytes: z.int(),
  etag: z.string(),
});
export type ObjectCreated = z.infer<typeof ObjectCreated>;

export const ProjectEvent = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("project.added"), ...project }),
  z.strictObject({ type: z.literal("project.configured"), ...project }),
  z.strictObject({
    type: z.literal("deploy.requested"),
    ...deploy,
    requestId: z.string(),
    trigger: Desired.shape.trigger,
    ref: z.string(),
  }),
  z.strictObject({
    type: z.literal("deploy.started"),
    ...deploy,
    commit: CommitId,
    ref: z.string(),
    subject: z.string(),
    containers: z.record(ContainerName, Move),
    volumes: z.record(VolumeName, Move),
  }),
  /** `copying 2`, `draining`, …: the words of the deploy's timeline. */
  z.strictObject({ type: z.literal("deploy.phase.entered"), ...deploy, phase: z.string() }),
  /** A node did what the phase waited for. */
  z.strictObject({
    type: z.literal("deploy.step.done"),
    ...deploy,
    step: z.string(),
    node: NodeId,
  }),
  z.strictObject({
    type: z.literal("deploy.ended"),
    ...deploy,
    /** Null: it ended before its ref was resolved. */
    commit: CommitId.nullable(),
    ref: z.string(),
    requestId: z.string(),
    result: DeployResult,
    reason: z.string().nullable(),
    startedAtMs: z.int(),
    endedAtMs: z.int(),
    gapMs: z.int().nullable(),
    predictedPauseMs: z.int().nullable(),
  }),
  /** The snapshot and every object that it needs were seen in the store. */
  z.strictObject({
    type: z.literal("snapshot.taken"),
    ...project,
    volume: VolumeName,
    snapshot: SnapshotRef,
  }),
  z.strictObject({
    type: z.literal("volume.moved"),
    ...project,
    volume: VolumeName,
    from: NodeId.nullable(),
    to: NodeId.nullable(),
    epoch: Epoch,
  }),
  /** What a failed version or a lost owner wrote is kept on the node. */
  z.strictObject({
    type: z.literal("volume.branch.kept"),
    ...project,
    volume: VolumeName,
    node: NodeId,
    epoch: Epoch,
    bytes: z.int(),
    reason: z.string(),
  }),
  /** From now on the volume goes on from this restore point, not from its newest. */
  z.strictObject({
    type: z.literal("volume.restored"),
    ...project,
    volume: VolumeName,
    snapshotId: SnapshotId,
  }),
  ObjectCreated,
]);
export type ProjectEvent = z.infer<typeof ProjectEvent>;
export type ProjectEventType = ProjectEvent["type"];
