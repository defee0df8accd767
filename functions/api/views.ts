/** What the API shows of the record. Fields are only added; the record may change behind them. */
import * as z from "zod";
import {
  CommitId,
  ContainerName,
  DeployId,
  Epoch,
  NodeId,
  ProjectId,
  VolumeName,
} from "../../workflows/ids.ts";
import { mapRecord } from "../../workflows/keys-of.ts";
import type { NodeStatus } from "../../workflows/placement/node-status.ts";
import {
  Branch,
  type Deploy,
  EndedDeploy,
  type ProjectState,
  SnapshotRef,
  TimelineEntry,
} from "../../workflows/record.ts";

export const RunningDeployView = z.object({
  id: DeployId,
  commit: CommitId,
  ref: z.string(),
  subject: z.string(),
  phase: z.string(),
  /** What it waits for: steps of nodes. */
  awaits: z.array(z.object({ step: z.string(), node: NodeId })),
  timeline: z.array(TimelineEntry),
  predictedPauseMs: z.int().nullable(),
});

export const EndedDeployView = EndedDeploy.omit({ archived: true });

export const ProjectView = z.object({
  project: ProjectId,
  repository: z.string(),
  ref: z.string(),
  commit: CommitId.nullable(),
  containers: z.record(
    ContainerName,
    z.object({ image: z.string(), node: NodeId, epoch: Epoch, deployId: DeployId }),
  ),
  volumes: z.record(
    VolumeName,
    z.object({ owner: NodeId.nullable(), epoch: Epoch, head: SnapshotRef.nullable() }),
  ),
  deploy: RunningDeployView.nullable(),
  /** The newest that ended. */
  lastDeploy: EndedDeployView.nullable(),
});

export const VolumeView = z.object({
  owner: NodeId.nullable(),
  epoch: Epoch,
  head: SnapshotRef.nullable(),
  snapshots: z.array(SnapshotRef),
  branches: z.array(Branch),
});

/** What a node last said of itself, as far as it concerns whoever deploys on it. */
export const NodeView = z.object({
  node: NodeId,
  version: z.string(),
  /** Where clients reach published ports. */
  address: z.string(),
  heartbeatAtMs: z.int(),
  labels: z.record(z.string(), z.string()),
  cpus: z.number(),
  memoryBytes: z.int(),
  memoryReservedBytes: z.int(),
  diskFreeBytes: z.int(),
  containerCount: z.int(),
  /** Takes nothing new. */
  cordoned: z.boolean(),
});

export const viewProject = (state: ProjectState): z.infer<typeof ProjectView> => ({
  project: state.project,
  repository: state.settings.repository,
  ref: state.settings.ref,
  commit: state.commit,
  containers: mapRecord(state.containers, ({ spec, node, epoch, deployId }) => ({
    ...{ image: spec.image, node, epoch, deployId },
  })),
  volumes: mapRecord(state.volumes, ({ owner, epoch, head }) => ({ owner, epoch, head })),
  deploy: state.deploy === null ? null : viewRunning(state.deploy),
  lastDeploy: state.history.map(viewEnded).at(-1) ?? null,
});

export const viewRunning = (deploy: Deploy): z.infer<typeof RunningDeployView> => {
  const { id, commit, ref, subject, phase, timeline, predictedPauseMs } = deploy;
  const { name, awaits } = phase;
  return { id, commit, ref, subject, phase: name, awaits, timeline, predictedPauseMs };
};

export const viewEnded = ({ archived: _archived, ...ended }: EndedDeploy) => ended;

export const viewVolume = (
  volume: ProjectState["volumes"][VolumeName],
): z.infer<typeof VolumeView> => {
  const { owner, epoch, head, snapshots, branches } = volume;
  return { owner, epoch, head, snapshots, branches };
};

export const viewNode = ({ atMs, ...status }: NodeStatus): z.infer<typeof NodeView> =>
  NodeView.parse({ ...status, heartbeatAtMs: atMs });
