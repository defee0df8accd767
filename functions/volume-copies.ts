/** Finding, making and renaming a node's copies of a volume; shared by the node's functions. */
import { type Copy, dataPath, indexPath, listIndexes, type Marker } from "../adapters/node-disk.ts";
import { volumePrefix } from "../adapters/store-keys.ts";
import { TerminalError } from "../volume/errors.ts";
import type { DataKeys } from "../volume/sealing.ts";
import { readSnapshot } from "../volume/snapshot.ts";
import type { NodeId, ProjectId, SnapshotId, VolumeName } from "../workflows/ids.ts";
import type { VolumeOrder } from "../workflows/node/assignment.ts";
import { isGivenUp } from "../workflows/node/given-up.ts";
import { findOwnCopy } from "../workflows/node/own-copy.ts";
import type { HydrateSummary, ProjectState, VolumeState } from "../workflows/record.ts";
import { elapsedMs } from "./elapsed-ms.ts";
import type { NodePorts, OnVolumeProgress } from "./node-ports.ts";
import { openProjectKeys } from "./project-keys.ts";

/** Left free on the node's disk whatever a volume needs. */
export const DISK_RESERVE_BYTES = 256 * 2 ** 20;

/** The newest snapshot that the copy has an index of and that may be referred to. */
export const chooseParent = async (
  copyPath: string,
  allowed: ReadonlySet<SnapshotId>,
): Promise<SnapshotId | null> =>
  (await listIndexes(copyPath)).find((id) => allowed.has(id)) ?? null;

/** For the owner of a volume: all that it has sealed is the volume, and stays where it is. */
export const noCache = (): boolean => false;

export interface StageTarget {
  readonly project: ProjectId;
  readonly volume: VolumeName;
  readonly snapshotId: SnapshotId;
  /** The size of it, where the record knows; it is read otherwise. */
  readonly bytes?: number | undefined;
  /**
   * Tells the sealed copies that are only a cache, and may be changed in place. A record that was read
   * long ago does not know what the node has sealed since: that is never one.
   */
  readonly isCache: (copy: Copy) => boolean;
  readonly keys: DataKeys;
  /** The old containers are stopped. */
  readonly isUrgent: boolean;
  readonly onProgress?: OnVolumeProgress;
}

/**
 * Brings the staging copy to the snapshot, from whatever the node holds that comes closest: the
 * staging copy of before, a sealed copy (a cache, if the node does not own the volume), or a base
 * that is only read.
 */
export const stage = async (
  ports: NodePorts,
  target: StageTarget,
  signal: AbortSignal,
): Promise<HydrateSummary> => {
  const { project, volume, snapshotId, isCache, keys, isUrgent, onProgress } = target;
  const { disk } = ports;
  const staging = disk.stagingPath(project, volume);
  const began = ports.nowMs();
  const copies = await disk.listCopies(project, volume);
  const current = copies.find(({ role }) => role === "staging");
  if (current === undefined) {
    const caches = copies.filter((copy) => copy.role === "sealed" && isCache(copy));
    await adoptCache(ports, caches, staging);
  }
  await checkSpace(ports, target, signal);
  const prepared = await prepareStaging(ports, staging, snapshotId);
  const base = prepared ? null : await findBase(await disk.listCopies(project, volume));
  const result = await ports.volumes.hydrate(
    {
      prefix: volumePrefix(project, volume),
      snapshotId,
      keys,
      directory: dataPath(staging),
      indexFile: indexPath(staging, snapshotId),
      base,
      isUrgent,
      onProgress,
    },
    signal,
  );
  const { digest, files, bytes, fetchedBytes, reusedBytes } = result;
  await disk.writeMarker(staging, { snapshotId, digest, bytes, files, writtenAtMs: ports.nowMs() });
  return {
    snapshotId,
    digest,
    files,
    bytes,
    fetchedBytes,
    reusedBytes,
    durationMs: elapsedMs(began, ports.nowMs()),
  };
};

/** The newest cache becomes the staging copy: brought up to date in place. */
const adoptCache = async (
  ports: NodePorts,
  caches: readonly Copy[],
  staging: string,
): Promise<void> => {
  const cache = caches
    .filter(({ marker }) => marker?.snapshotId != null)
    .sort((a, b) => b.epoch - a.epoch)[0];
  if (cache !== undefined) await ports.disk.moveCopy(cache.path, staging);
};

/**
 * Puts the index of what is there under the name of what shall be there, and takes back what the
 * marker says. False: nothing usable is there.
 */
const prepareStaging = async (
  ports: NodePorts,
  staging: string,
  snapshotId: SnapshotId,
): Promise<boolean> => {
  const { disk } = ports;
  await disk.ensureCopy(staging);
  const copy = await disk.readMarker(staging);
  const known = copy?.snapshotId ?? null;
  if (known !== null && known !== snapshotId) {
    await disk.renameIndex(staging, known, snapshotId);
  }
  if (copy !== null) await disk.writeMarker(staging, { ...copy, snapshotId: null });
  await disk.dropIndexes(staging, snapshotId);
  return (await listIndexes(staging)).includes(snapshotId);
};

/** Any other copy with an index: its files are copied where they are still the ones it describes. */
const findBase = async (
  copies: readonly Copy[],
): Promise<{ directory: string; indexFile: string } | null> => {
  const newest = copies.filter(({ role }) => role !== "staging").sort((a, b) => b.epoch - a.epoch);
  for (const copy of newest) {
    const id = (await listIndexes(copy.path))[0];
    if (id !== undefined) {
      return { directory: dataPath(copy.path), indexFile: indexPath(copy.path, id) };
    }
  }
  return null;
};

const checkSpace = async (
  ports: NodePorts,
  target: StageTarget,
  signal: AbortSignal,
): Promise<void> => {
  const { project, volume } = target;
  const bytes = target.bytes ?? (await readBytes(ports, target, signal));
  const there = (await ports.disk.readMarker(ports.disk.stagingPath(project, volume)))?.bytes ?? 0;
  const needed = bytes - there + DISK_RESERVE_BYTES;
  const free = await ports.disk.freeBytes();
  if (needed > free) {
    throw new TerminalError(
      `volume ${volume} needs ${needed} bytes on ${ports.node}, ${free} are free`,
      { code: "disk-full", hint: "free space on the node, or choose another one" },
    );
  }
};

const readBytes = async (
  { store }: NodePorts,
  { project, volume, snapshotId, keys }: StageTarget,
  signal: AbortSignal,
): Promise<number> => {
  const prefix = volumePrefix(project, volume);
  const snapshot = await readSnapshot({ store, prefix, snapshotId, keys }, signal);
  if (snapshot !== null) return snapshot.bytes;
  throw new TerminalError(`the store has no snapshot ${snapshotId}`, { code: "snapshot-missing" });
};

/** Whether the node alone has what is in it: see `isGivenUp`. */
export const isGivenUpCopy = ({ epoch, marker }: Copy, volume: VolumeState, node: NodeId) =>
  isGivenUp({ epoch, snapshotId: marker?.snapshotId ?? null }, volume, node);

/** The copies that a node has from before the volume's epoch of now, and may change in place. */
export const olderCaches =
  (volume: VolumeState, node: NodeId): StageTarget["isCache"] =>
  (copy) =>
    copy.epoch < volume.epoch && !isGivenUpCopy(copy, volume, node);

/** As the record has it; undefined: it has only the snapshot's name. */
export const knownBytes = (
  volume: Pick<VolumeState, "snapshots"> | undefined,
  snapshotId: SnapshotId,
): number | undefined => volume?.snapshots.find(({ id }) => id === snapshotId)?.bytes;

export interface Materialised {
  /** The live copy. */
  readonly path: string;
  /** What had to be brought from the store for it. */
  readonly hydrate?: HydrateSummary;
}

/**
 * Makes sure that the directory of the order's epoch stands, by the one way that its origin allows.
 * Throws TerminalError `no-local-lineage` where the node has no right to make one.
 */
export const materialise = async (
  ports: NodePorts,
  state: ProjectState,
  order: VolumeOrder,
  mayHydrate: boolean,
  signal: AbortSignal,
): Promise<Materialised> => {
  const { disk } = ports;
  const { project } = state;
  const { name: volume, epoch, origin } = order;
  const live = disk.pathOf(project, volume, "live", epoch);
  const copies = await disk.listCopies(project, volume);
  if (copies.some(({ path }) => path === live)) return { path: live };
  if (origin.kind === "local") {
    const own = findOwnCopy(copies, order);
    if (own === undefined) throw noLineage(ports, project, order);
    await becomeLive(ports, own, live);
    return { path: live };
  }
  if (!mayHydrate) throw noLineage(ports, project, order);
  if (origin.kind === "empty") {
    await disk.createEmpty(live, ports.nowMs());
    return { path: live };
  }
  const { snapshotId } = origin;
  const fits = ({ role, marker }: Copy) =>
    (role === "staging" || role === "sealed") && marker?.snapshotId === snapshotId;
  const hydrate = copies.some(fits)
    ? undefined
    : await stageAsOwner(ports, state, { volume, snapshotId }, signal);
  const ready = (await disk.listCopies(project, volume)).find(fits);
  if (ready === undefined) throw noLineage(ports, project, order);
  await becomeLive(ports, ready, live);
  return { path: live, ...(hydrate !== undefined && { hydrate }) };
};

const stageAsOwner = async (
  ports: NodePorts,
  state: ProjectState,
  target: Pick<StageTarget, "volume" | "snapshotId">,
  signal: AbortSignal,
): Promise<HydrateSummary> => {
  const { project } = state;
  const keys = await openProjectKeys(ports.wrappingKeys, state);
  const bytes = knownBytes(state.volumes[target.volume], target.snapshotId);
  return ports.locks.run(`stage ${project}`, () =>
    stage(ports, { ...target, project, bytes, isCache: noCache, keys, isUrgent: true }, signal),
  );
};

/** From now on the data may be written to, so they equal no snapshot any more. */
const becomeLive = async (ports: NodePorts, copy: Copy, live: string): Promise<void> => {
  const known: Marker | null = copy.marker;
  if (known !== null) await ports.disk.writeMarker(copy.path, { ...known, snapshotId: null });
  await ports.disk.moveCopy(copy.path, live);
};

const noLineage = (ports: NodePorts, project: ProjectId, order: VolumeOrder): TerminalError =>
  new TerminalError(
    `${ports.node} has no data of volume ${order.name} of ${project} for epoch ${order.epoch}`,
    {
      code: "no-local-lineage",
      hint: `bring its disk back, or declare the node lost: bagage node forget ${ports.node}`,
    },
  );
