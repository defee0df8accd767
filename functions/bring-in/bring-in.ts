/** What goes into a volume from the project's bucket before its container starts under a new epoch. */
import { dataPath } from "../../adapters/node-disk.ts";
import { openS3Bucket } from "../../adapters/s3-bucket.ts";
import { takenKey } from "../../adapters/store-keys.ts";
import type { Epoch, VolumeName } from "../../workflows/ids.ts";
import type { RunOrder, VolumeOrder } from "../../workflows/node/assignment.ts";
import type { HydrateSummary, ProjectState } from "../../workflows/record.ts";
import type { NodePorts } from "../node-ports.ts";
import { findDeploySpace } from "../spaces/find-deploy-space.ts";
import { type Space, spaceCredentials } from "../spaces/space.ts";
import { materialise } from "../volume-copies.ts";
import { dropFirstContent, placeFirstContent } from "./first-content.ts";
import { retireInbox } from "./stage-inbox.ts";
import { carryNote, takeInbox } from "./take-inbox.ts";

/**
 * Call with the project's lock held, before any of the orders' containers is started. Done once per
 * epoch: a note in the store says so, and stands before a container can run. Resolves with what had
 * to be hydrated for it.
 */
export const bringIn = async (
  ports: NodePorts,
  state: ProjectState,
  orders: readonly RunOrder[],
  signal: AbortSignal,
): Promise<Record<VolumeName, HydrateSummary>> => {
  const hydrated: Record<VolumeName, HydrateSummary> = {};
  const volumes = findWritten(orders);
  if (volumes.length === 0) return hydrated;
  const space = await findDeploySpace(ports, state, signal);
  if (space === null) return hydrated;
  for (const volume of volumes) {
    const key = takenKey(state.project, volume.name, volume.epoch);
    if ((await ports.store.head(key, signal)) !== null) {
      // A crash may have come between the note and this.
      await retireInbox(ports.disk.inboxPath(state.project, volume.name));
      continue;
    }
    const { path, hydrate } = await materialise(ports, state, volume, true, signal);
    if (hydrate !== undefined) hydrated[volume.name] = hydrate;
    await bringInto(ports, state, { order: volume, live: path, space }, signal);
  }
  return hydrated;
};

/** The old version comes back: nothing is taken, and nothing that it has may be taken twice. */
export const bringBack = async (
  ports: NodePorts,
  state: ProjectState,
  orders: readonly RunOrder[],
  signal: AbortSignal,
): Promise<void> => {
  const { project } = state;
  const volumes = findWritten(orders);
  if (volumes.length === 0 || (await findDeploySpace(ports, state, signal)) === null) return;
  for (const order of volumes) {
    const { name: volume, epoch } = order;
    await carryNote(ports, { project, volume, epoch, base: baseOf(state, order) }, signal);
  }
};

interface Target {
  readonly order: VolumeOrder;
  /** The live copy. */
  readonly live: string;
  readonly space: Space;
}

/** Volumes that one of the containers writes, each once. */
const findWritten = (orders: readonly RunOrder[]): VolumeOrder[] => {
  const written = new Map<VolumeName, VolumeOrder>();
  for (const { spec, volumes } of orders) {
    for (const volume of volumes) {
      const isWritten = spec.volumes.some(
        ({ name, readOnly }) => name === volume.name && !readOnly,
      );
      if (isWritten) written.set(volume.name, volume);
    }
  }
  return [...written.values()];
};

const bringInto = async (
  ports: NodePorts,
  state: ProjectState,
  { order, live, space }: Target,
  signal: AbortSignal,
): Promise<void> => {
  const { project } = state;
  const { name: volume, epoch, origin } = order;
  const from = state.volumes[volume]?.settings.from;
  const deployId = state.deploy?.id;
  const isFirst = origin.kind === "empty" && from !== undefined && deployId !== undefined;
  if (isFirst) await placeFirstContent(ports, { project, volume, deployId, from }, live);
  if (space.container !== null) {
    const bucket = openS3Bucket({ ...space, ...spaceCredentials(space) });
    const request = { project, volume, epoch, base: baseOf(state, order), bucket };
    try {
      await takeInbox(ports, { ...request, directory: dataPath(live) }, signal);
    } finally {
      bucket.close();
    }
    await retireInbox(ports.disk.inboxPath(project, volume));
  }
  if (isFirst) await dropFirstContent(ports, { project, volume });
};

/** The epoch whose data the order's directory begins from. */
const baseOf = (state: ProjectState, { name, origin }: VolumeOrder): Epoch | null => {
  if (origin.kind === "empty") return null;
  if (origin.kind === "local") return origin.epoch;
  const volume = state.volumes[name];
  const known = [...(volume?.snapshots ?? []), volume?.head, state.deploy?.volumes[name]?.sealed];
  return known.find((snapshot) => snapshot?.id === origin.snapshotId)?.epoch ?? null;
};
