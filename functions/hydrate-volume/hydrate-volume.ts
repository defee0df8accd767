/**
 * Prepares a target: pulls the images and brings the staging copies of its volumes as far as the
 * store has them. In the rounds of the pre-copy, and once more after the seal.
 */
import { openS3Bucket } from "../../adapters/s3-bucket.ts";
import { TerminalError } from "../../volume/errors.ts";
import { contentOf, stepKind } from "../../workflows/deploy/steps.ts";
import type { NodeId, SnapshotId, VolumeName } from "../../workflows/ids.ts";
import { keysOf } from "../../workflows/keys-of.ts";
import type { VolumeMove, VolumeState } from "../../workflows/record.ts";
import { fetchFirstContent } from "../bring-in/first-content.ts";
import { stageInbox } from "../bring-in/stage-inbox.ts";
import type { StepMessage } from "../messages.ts";
import type { NodePorts } from "../node-ports.ts";
import { runStep, type StepFindings, type StepWork } from "../node-step.ts";
import { openProjectKeys } from "../project-keys.ts";
import { findDeploySpace } from "../spaces/find-deploy-space.ts";
import { readS3Environment } from "../spaces/s3-environment.ts";
import { spaceCredentials } from "../spaces/space.ts";
import { knownBytes, noCache, olderCaches, type StageTarget, stage } from "../volume-copies.ts";

export const createHydrateVolume =
  (ports: NodePorts) =>
  (message: StepMessage, signal: AbortSignal): Promise<void> =>
    runStep(
      ports,
      message,
      async (work) => {
        if (stepKind(work.step) === "prepare") {
          await refuseWithoutSpace(ports, work, signal);
          await pullImages(ports, work, signal);
        }
        ports.warmings.get(work.state.project)?.abort();
        return ports.locks.run(`stage ${work.state.project}`, () =>
          stageVolumes(ports, work, signal),
        );
      },
      signal,
    );

/** Found out before anything stops, rather than at the start. */
const refuseWithoutSpace = async (
  ports: NodePorts,
  { state, deploy }: StepWork,
  signal: AbortSignal,
): Promise<void> => {
  const moves = Object.values(deploy.containers).filter(({ to }) => to?.node === ports.node);
  if (moves.some(({ to }) => to?.spec.s3 === true)) {
    await readS3Environment(ports, state.project, signal);
  }
};

const pullImages = async (
  ports: NodePorts,
  { state, deploy, progress }: StepWork,
  signal: AbortSignal,
) => {
  const moves = Object.values(deploy.containers).filter(({ to }) => to?.node === ports.node);
  for (const reference of new Set(
    moves.flatMap(({ to }) => (to === null ? [] : [to.spec.image])),
  )) {
    const onProgress = progress.forImage(reference);
    const { source, imageId } = await ports.docker.ensureImage({ reference, onProgress }, signal);
    ports.log.info(
      { project: state.project, deploy: deploy.id, reference, source, imageId },
      "image.ready",
    );
  }
};

const stageVolumes = async (
  ports: NodePorts,
  work: StepWork,
  signal: AbortSignal,
): Promise<StepFindings> => {
  const { project } = work.state;
  const keys = await openProjectKeys(ports.wrappingKeys, work.state);
  const volumes: StepFindings["volumes"] = {};
  for (const name of keysOf(work.deploy.volumes)) {
    const move = work.deploy.volumes[name];
    if (move === undefined || move.to !== ports.node) continue;
    await fetchFrom(ports, work, name, signal);
    if (stepKind(work.step) === "prepare") await fetchInbox(ports, work, name, signal);
    const snapshotId = findContent(work, name, move);
    if (snapshotId === null) continue;
    const isCache = cachesOf(work.state.volumes[name], move, ports.node);
    const onProgress = work.progress.forVolume(name);
    const bytes = knownBytes(work.state.volumes[name], snapshotId);
    const isUrgent = stepKind(work.step) !== "prepare";
    const place = { project, volume: name, snapshotId, bytes, isCache };
    const summary = await stage(ports, { ...place, keys, isUrgent, onProgress }, signal);
    volumes[name] = { hydrate: summary };
    ports.log.info(
      { project, deploy: work.deploy.id, volume: name, step: work.step, ...summary },
      "volume.staged",
    );
  }
  return { volumes, containers: {} };
};

/** Of a volume that never had content: what its file says that it begins with. */
const fetchFrom = async (
  ports: NodePorts,
  { state, deploy, progress }: StepWork,
  volume: VolumeName,
  signal: AbortSignal,
): Promise<void> => {
  const move = deploy.volumes[volume];
  const from = move?.settings.from;
  const isNew = move?.from === null && (state.volumes[volume]?.head ?? null) === null;
  if (from === undefined || !isNew) return;
  const content = { project: state.project, volume, deployId: deploy.id, from };
  await fetchFirstContent(ports, content, progress.forVolume(volume), signal);
};

/** While the old container runs; of a project that has a bucket. */
const fetchInbox = async (
  ports: NodePorts,
  { state, deploy, progress }: StepWork,
  volume: VolumeName,
  signal: AbortSignal,
): Promise<void> => {
  const { project } = state;
  const space = await findDeploySpace(ports, state, signal);
  if (space === null || space.container === null) return;
  const bucket = openS3Bucket({ ...space, ...spaceCredentials(space) });
  const epoch = deploy.volumes[volume]?.from?.epoch ?? null;
  const onProgress = progress.forVolume(volume);
  await stageInbox(ports, { project, volume, epoch, bucket, onProgress }, signal).finally(() =>
    bucket.close(),
  );
};

const cachesOf = (
  volume: VolumeState | undefined,
  move: VolumeMove,
  node: NodeId,
): StageTarget["isCache"] => {
  if (volume === undefined || move.from?.node === node) return noCache;
  return olderCaches(volume, node);
};

/** In a round: the newest copy. After the seal: what the volume shall start from. */
const findContent = (work: StepWork, name: VolumeName, move: VolumeMove): SnapshotId | null => {
  const isLocal = move.from?.node === move.to && move.restore === null;
  if (isLocal) return null;
  const volume = work.state.volumes[name];
  if (work.deploy.phase.name === "sealed") {
    const content = contentOf(move, volume);
    if (content === null)
      throw new TerminalError(`volume ${name} has no content`, { code: "no-content" });
    return content;
  }
  const copied = move.copies.at(-1)?.snapshotId ?? null;
  return move.restore ?? copied ?? volume?.head?.id ?? null;
};
