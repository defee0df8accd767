/**
 * Starts one container under one epoch: its volumes stand, its fence allows it at the moment of the
 * start, its ports stay closed. The only place that starts containers.
 */
import { isLeftover } from "../../adapters/docker-errors.ts";
import { dataPath } from "../../adapters/node-disk.ts";
import { TerminalError } from "../../volume/errors.ts";
import type { ContainerOutcome } from "../../workflows/deploy/container-outcome.ts";
import type { LeaseSession, ProjectId, VolumeName } from "../../workflows/ids.ts";
import type { RunOrder } from "../../workflows/node/assignment.ts";
import { isStartAllowed } from "../../workflows/node/reconcile.ts";
import type { HydrateSummary, ProjectState } from "../../workflows/record.ts";
import { containerLabels, containerName } from "../container-names.ts";
import { type CoveredOrder, coverOrder, watchContainer } from "../cover-order.ts";
import type { NodePorts } from "../node-ports.ts";
import { readS3Environment } from "../spaces/s3-environment.ts";
import { materialise } from "../volume-copies.ts";
import { dropLeftover } from "./drop-leftover.ts";

export interface StartedContainer {
  readonly name: string;
  readonly outcome: ContainerOutcome;
  /** Volumes that were brought up to their snapshot for this start. */
  readonly hydrated: Readonly<Record<VolumeName, HydrateSummary>>;
  /** The session of the node's lease that it was started under; null: it needs none. */
  readonly lease: LeaseSession | null;
}

/** Call with the project's lock held. Idempotent. */
export const startContainer = async (
  ports: NodePorts,
  state: ProjectState,
  { order, heldSince }: CoveredOrder,
  signal: AbortSignal,
): Promise<StartedContainer> => {
  const { project } = state;
  const hydrated: Record<VolumeName, HydrateSummary> = {};
  const lease = await coverOrder(ports, project, { order, heldSince }, signal);
  // Before anything is made on the disk: a directory of a past epoch would pass for the data of now.
  await refuseIfFenced(ports, project, order);
  const sources = new Map<VolumeName, string>();
  for (const volume of order.volumes) {
    const { path, hydrate } = await materialise(ports, state, volume, order.mayHydrate, signal);
    sources.set(volume.name, dataPath(path));
    if (hydrate !== undefined) hydrated[volume.name] = hydrate;
  }
  const materialisedAtMs = ports.nowMs();
  const { imageId } = await ports.docker.ensureImage({ reference: order.spec.image }, signal);
  const access = order.spec.s3 === true ? await readS3Environment(ports, project, signal) : {};
  // What the file says wins.
  const environment = { ...access, ...order.spec.environment };
  const name = containerName(project, order.container, order.epoch);
  await refuseIfFenced(ports, project, order);
  await ports.docker.createContainer(
    {
      name,
      labels: {
        ...order.spec.labels,
        ...containerLabels({
          node: ports.node,
          project,
          container: order.container,
          epoch: order.epoch,
          memLimitBytes: order.spec.memLimitBytes,
        }),
      },
      imageId,
      spec: { ...order.spec, environment },
      mounts: order.spec.volumes.map(({ name: volume, path, readOnly }) => ({
        source: sources.get(volume) ?? missingMount(volume),
        target: path,
        readOnly,
      })),
    },
    signal,
  );
  const createdAtMs = ports.nowMs();
  // Once more, at the last moment: whatever asked for this start may be long past.
  await refuseIfFenced(ports, project, order);
  try {
    await ports.docker.startContainer(name, signal);
  } catch (error) {
    if (isLeftover(error)) await dropLeftover(ports, name, [...sources.values()], signal);
    throw error;
  }
  const startedAtMs = ports.nowMs();
  await watchContainer(ports, project, { order, name }, signal);
  const outcome = { materialisedAtMs, createdAtMs, startedAtMs, imageId };
  return { name, outcome, hydrated, lease };
};

const refuseIfFenced = async (ports: NodePorts, project: ProjectId, order: RunOrder) => {
  if (isStartAllowed(order, await ports.fences.read(project))) return;
  throw new TerminalError(`start of ${order.container} under epoch ${order.epoch} is fenced`, {
    code: "fenced",
  });
};

const missingMount = (volume: VolumeName): never => {
  throw new TerminalError(`volume ${volume} is not in the record`, { code: "unknown-volume" });
};
