/** What must hold of one volume: its snapshots, what a collector deletes, its losses and its end. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { volumePrefix } from "../../adapters/store-keys.ts";
import { reachableObjects } from "../../volume/collect.ts";
import { hydrate } from "../../volume/hydrate/hydrate.ts";
import type { NodeId, VolumeName } from "../../workflows/ids.ts";
import type { ProjectState, RecordRevision } from "../../workflows/record.ts";
import { findLoss, readLog, readStarts } from "./application.ts";
import { PROJECT } from "./control.ts";
import { directoriesOf } from "./daemon.ts";
import { simulatedFileSystem } from "./file-system.ts";
import type { Node } from "./node.ts";
import type { Site } from "./site.ts";
import { writersOf } from "./writers.ts";

export interface AcceptedLoss {
  readonly node: NodeId;
  readonly ids: readonly string[];
}

export interface VolumeLaws {
  readonly volume: VolumeName;
  /** Of what was acknowledged: all that nobody has accepted the loss of since. */
  promised(acknowledged?: readonly string[]): string[];
  /** Records that a lost node alone had, which others have gone on without. */
  readonly losses: readonly AcceptedLoss[];
  /** Every lost record stands in a branch that the record knows of, on the node that had it. */
  findMissingBranch(state: ProjectState | null): string | null;
  checkRevision(before: RecordRevision | undefined, revision: RecordRevision): Promise<void>;
  checkDeletion(state: ProjectState, keys: readonly string[]): Promise<void>;
  checkEnd(revisions: readonly RecordRevision[]): Promise<void>;
}

const never = new AbortController().signal;

export const enforceVolumeLaws = (
  site: Pick<Site, "world" | "store" | "directory">,
  nodes: readonly Node[],
  volume: VolumeName,
  acknowledged: () => readonly string[],
): VolumeLaws => {
  const { world, store } = site;
  const prefix = volumePrefix(PROJECT, volume);
  const waived = new Set<string>();
  const losses: AcceptedLoss[] = [];
  let looks = 0;

  /** The log of a snapshot, read back from the store as a restore would. */
  const logOf = async (snapshotId: string): Promise<string[]> => {
    looks += 1;
    const directory = join(site.directory, `look-${volume}-${looks}`);
    const place = { store: store.raw, prefix, snapshotId, directory, base: null };
    const indexFile = `${directory}.index`;
    await hydrate({ ...place, indexFile, fileSystem: simulatedFileSystem }, never);
    const log = readLog(directory);
    rmSync(directory, { recursive: true });
    rmSync(indexFile, { force: true });
    return log;
  };
  const promised = (from = acknowledged()): string[] => from.filter((id) => !waived.has(id));
  const waiveAllBut = async (snapshotId: string | null): Promise<string[]> => {
    const kept = new Set(snapshotId === null ? [] : await logOf(snapshotId));
    const ids = promised().filter((id) => !kept.has(id));
    for (const id of ids) waived.add(id);
    return ids;
  };
  /** An accepted loss, or a deploy that goes back to a restore point on somebody's word. */
  const settleLosses = async (before: ProjectState | null, now: ProjectState): Promise<void> => {
    const loss = now.volumes[volume]?.losses.at(-1);
    if (loss !== undefined && loss.epoch !== before?.volumes[volume]?.losses.at(-1)?.epoch) {
      const node = nodes.find(({ id }) => id === loss.node);
      if (node !== undefined && writersOf(node).length > 0) {
        world.breach(`I1: ${loss.node} writes while it is given up`);
      }
      losses.push({ node: loss.node, ids: await waiveAllBut(loss.snapshotId) });
    }
    const ended = now.history.at(-1);
    const isNew = ended !== undefined && ended.id !== before?.history.at(-1)?.id;
    const restored = ended?.volumes[volume]?.restore ?? null;
    if (isNew && ended.result === "deployed" && restored !== null) await waiveAllBut(restored);
  };
  const checkSnapshot = async (id: string, expected: readonly string[], law: string) => {
    try {
      const loss = findLoss(await logOf(id), expected);
      if (loss !== null) world.breach(`${law}: snapshot ${id} of ${volume}: ${loss}`);
    } catch (error) {
      world.breach(`I6: snapshot ${id} of ${volume} can't be read: ${String(error)}`);
    }
  };
  const findMissing = (state: ProjectState | null) =>
    findMissingBranch(nodes, volume, state, losses);
  return {
    volume,
    losses,
    promised,
    findMissingBranch: findMissing,
    checkRevision: async (before, { state }) => {
      const known = before?.state.volumes[volume];
      const { epoch = 0, head = null } = state.volumes[volume] ?? {};
      if (epoch < (known?.epoch ?? 0)) world.breach(`I5: the epoch of ${volume} went back`);
      await settleLosses(before?.state ?? null, state);
      if (head !== null && head.id !== known?.head?.id) {
        await checkSnapshot(head.id, promised(), "I3");
      }
    },
    checkDeletion: async (state, keys) => {
      const place = { store: store.raw, prefix, roots: rootsOf(state, volume) };
      const reachable = await reachableObjects(place, never).catch(() => new Set<string>());
      for (const key of keys) {
        if (key.startsWith(`${prefix}/`) && reachable.has(key.slice(prefix.length + 1))) {
          world.breach(`I8: ${key} is deleted, and a snapshot needs it`);
        }
      }
    },
    checkEnd: async (revisions) => {
      const now = revisions.at(-1)?.state ?? null;
      const missing = findMissing(now);
      if (missing !== null) world.breach(`I4: ${missing}`);
      for (const id of now === null ? [] : rootsOf(now, volume)) await checkSnapshot(id, [], "I6");
      checkData(nodes, volume, revisions, promised(), (what) => world.breach(what));
    },
  };
};

type Breach = (what: string) => void;

/** Everything that the record still needs: restore points, and what a deploy works with. */
const rootsOf = (state: ProjectState, name: VolumeName): string[] => {
  const volume = state.volumes[name];
  const move = state.deploy?.volumes[name];
  return [
    ...new Set([
      ...(volume?.snapshots.map(({ id }) => id) ?? []),
      ...(volume?.head == null ? [] : [volume.head.id]),
      ...(volume?.origin.kind === "snapshot" ? [volume.origin.snapshotId] : []),
      ...(move?.copies.map(({ snapshotId }) => snapshotId) ?? []),
      ...(move?.sealed == null ? [] : [move.sealed.id]),
    ]),
  ];
};

/** The owner's own data: every promise is in them, and nothing of a version that was rolled back. */
const checkData = (
  nodes: readonly Node[],
  name: VolumeName,
  revisions: readonly RecordRevision[],
  promised: readonly string[],
  breach: Breach,
): void => {
  const volume = revisions.at(-1)?.state.volumes[name];
  if (volume === undefined) {
    if (promised.length > 0) breach("I4: records were acknowledged, and there is no volume");
    return;
  }
  const owner = nodes.find(({ id }) => id === volume.owner);
  const held = owner === undefined ? [] : writersOf(owner).flatMap(directoriesOf);
  const directory = held.find((one) => one.volume === name)?.directory;
  if (owner === undefined || directory === undefined) {
    breach(`L1: nothing serves ${name} in the end`);
    return;
  }
  const loss = findLoss(readLog(directory), promised);
  if (loss !== null) breach(`I4: ${name} of the owner ${owner.id}: ${loss}`);
  const undone = new Set(
    revisions.flatMap(({ state }, index) => {
      const before = revisions[index - 1]?.state.deploy?.phase;
      const isUndone = state.deploy?.phase.name === "unstarting" && before?.name === "starting";
      return isUndone ? [before.epoch] : [];
    }),
  );
  const left = readStarts(directory).find((epoch) => undone.has(epoch as never));
  if (left !== undefined)
    breach(`I2: ${name} holds what epoch ${left} wrote, which was rolled back`);
};

const findMissingBranch = (
  nodes: readonly Node[],
  volume: VolumeName,
  state: ProjectState | null,
  losses: readonly AcceptedLoss[],
): string | null => {
  for (const { node: lost, ids } of losses) {
    if (ids.length === 0) continue;
    const root = nodes.find(({ id }) => id === lost)?.root ?? "";
    const isKept = state?.volumes[volume]?.branches.some(({ node, epoch }) => {
      if (node !== lost) return false;
      const path = join(root, "volumes", PROJECT, volume, `branch-e${epoch}`, "data");
      const log = new Set(readLog(path));
      return ids.every((id) => log.has(id));
    });
    if (isKept !== true) return `no branch of ${volume} on ${lost} has ${ids.join(", ")}`;
  }
  return null;
};
