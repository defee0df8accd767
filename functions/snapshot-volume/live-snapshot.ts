/**
 * A snapshot of one volume outside a deploy, while its container runs: by the schedule or on request.
 * The result is an object that stays until the record has taken it up; the message is only a hint.
 */
import { pendingKey, volumePrefix } from "../../adapters/store-keys.ts";
import { TerminalError } from "../../volume/errors.ts";
import { snapshotKey } from "../../volume/keys.ts";
import type { SnapshotReport } from "../../workflows/deploy/messages.ts";
import { type ProjectId, SnapshotId, type VolumeName } from "../../workflows/ids.ts";
import { findOwnCopy } from "../../workflows/node/own-copy.ts";
import type { ProjectState, SnapshotRef, VolumeState } from "../../workflows/record.ts";
import { type DueSnapshot, dueSnapshots } from "../../workflows/snapshots/due-snapshots.ts";
import { encodeJson } from "../json-object.ts";
import type { NodePorts } from "../node-ports.ts";
import { runHook } from "./run-hook.ts";
import { snapshotReportId } from "./snapshot-report-id.ts";
import { ownedIn } from "./snapshot-volume.ts";
import { writeVolumeSnapshot } from "./write-volume-snapshot.ts";

/** More than a snapshot takes in which nothing changed. */
const NOTHING_NEW_BYTES = 2 ** 16;
/** One snapshot in so many looks for packs that are mostly dead: to find them all is read through. */
const REPACK_EVERY = 8;

export interface LiveSnapshotTarget {
  readonly project: ProjectId;
  readonly volume: VolumeName;
  /** What this node reported last: nothing is taken until the record has gone past it. */
  readonly reported: Pick<DueSnapshot, "epoch" | "sequence"> | null;
}

export interface LiveSnapshotResult {
  /** `idle`: nothing was due. */
  readonly kind: "reported" | "unchanged" | "idle";
  /** By the record as it was read; null: the volume is not this node's to snapshot. */
  readonly due: DueSnapshot | null;
}

/**
 * Takes the snapshot, if it is due now by the record as it is read inside the lock. A failing command,
 * or data that can't be read, is a result; a store that does not answer is thrown.
 */
export const takeLiveSnapshot = (
  ports: NodePorts,
  { project, volume, reported }: LiveSnapshotTarget,
  signal: AbortSignal,
): Promise<LiveSnapshotResult> =>
  ports.locks.run(`copy ${project}`, async () => {
    // Before the record is read: a drain that this reading does not see yet aborts by it.
    const control = new AbortController();
    ports.copies.set(project, control);
    const either = AbortSignal.any([signal, control.signal]);
    try {
      const loaded = await ports.records.load(project, either);
      if (loaded === null) return { kind: "idle", due: null };
      const { state } = loaded;
      const due = dueSnapshots(state, ports.node).find((one) => one.volume === volume) ?? null;
      const isOpen = due?.epoch === reported?.epoch && due?.sequence === reported?.sequence;
      if (due === null || isOpen || !isDue(due, ports.nowMs())) return { kind: "idle", due };
      return { kind: await take(ports, { state, due }, either), due };
    } finally {
      if (ports.copies.get(project) === control) ports.copies.delete(project);
    }
  });

export const isDue = ({ dueAtMs, requestIds }: DueSnapshot, nowMs: number): boolean =>
  requestIds.length > 0 || (dueAtMs !== null && dueAtMs <= nowMs);

interface Work {
  readonly state: ProjectState;
  readonly due: DueSnapshot;
}

const take = async (
  ports: NodePorts,
  work: Work,
  signal: AbortSignal,
): Promise<LiveSnapshotResult["kind"]> => {
  const { state, due } = work;
  const { project } = state;
  const { volume: name, epoch, sequence } = due;
  const volume = state.volumes[name] as VolumeState;
  const token = ports.newToken();
  const snapshotId = SnapshotId.parse(`live-e${epoch}-${sequence}-${token}`);
  let snapshot: SnapshotRef | null = null;
  let failure: SnapshotReport["failure"] = null;
  try {
    await runHook(ports, state, { key: "before_snapshot", settings: volume.settings }, signal);
    snapshot = await write(ports, work, { snapshotId, token }, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof TerminalError)) throw error;
    failure = { code: error.code, message: error.message };
    ports.log.error({ project, volume: name, ...failure }, "snapshot.failed");
  }
  if (snapshot !== null && due.requestIds.length === 0 && isNothingNew(snapshot, volume)) {
    await ports.store.delete([snapshotKey(volumePrefix(project, name), snapshotId)], signal);
    return "unchanged";
  }
  const report: SnapshotReport = {
    ...{ project, volume: name, node: ports.node, epoch, sequence },
    requestIds: [...due.requestIds],
    atMs: ports.nowMs(),
    snapshot,
    failure,
  };
  const requestId = snapshotReportId(name, snapshotId);
  const options = { contentType: "application/json" };
  await ports.store.put(pendingKey(project, requestId), encodeJson(report), options, signal);
  await ports.sendToControl({ type: "project.hint", version: 1, project, requestId }, signal);
  return "reported";
};

/** Where equal content was stored afresh, its packs are worth a restore point, and the old ones are not. */
const isNothingNew = (snapshot: SnapshotRef, { head }: VolumeState): boolean =>
  snapshot.digest === head?.digest && snapshot.storedBytes <= NOTHING_NEW_BYTES;

const write = async (
  ports: NodePorts,
  { state, due }: Work,
  { snapshotId, token }: { readonly snapshotId: SnapshotId; readonly token: string },
  signal: AbortSignal,
): Promise<SnapshotRef> => {
  const { volume: name, epoch, sequence } = due;
  const copies = await ports.disk.listCopies(state.project, name);
  const own = findOwnCopy(copies, ownedIn(state, name, epoch));
  if (own === undefined) {
    throw new TerminalError(`${ports.node} has no data of volume ${name}`, {
      code: "no-local-data",
      hint: "bring its disk back, or declare the node lost",
    });
  }
  const { snapshot, parent } = await writeVolumeSnapshot(
    ports,
    {
      ...{ state, name, copy: own.path, epoch, snapshotId },
      kind: "live",
      deployId: null,
      attempt: `live-${sequence}.${token}`,
      parents: state.volumes[name]?.snapshots.map(({ id }) => id) ?? [],
      repack: sequence % REPACK_EVERY === REPACK_EVERY - 1,
    },
    signal,
  );
  // Nothing is built upon what is older than the parent: the head is retained, and no older than it.
  if (parent !== null) await ports.disk.dropOlderIndexes(own.path, parent);
  return snapshot;
};
