/**
 * What must hold, looked at from outside: each revision of the record as it is written, each object
 * as it is deleted, the machines after everything that happens, and all of it at the end.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { recordPrefix, volumePrefix } from "../../adapters/store-keys.ts";
import { reachableObjects } from "../../volume/collect.ts";
import { hydrate } from "../../volume/hydrate/hydrate.ts";
import { type NodeId, VolumeName } from "../../workflows/ids.ts";
import { EndedDeploy, type ProjectState, RecordRevision } from "../../workflows/record.ts";
import { findLoss, readLog, readStarts } from "./application.ts";
import { PROJECT } from "./control.ts";
import { simulatedFileSystem } from "./file-system.ts";
import type { Node } from "./node.ts";
import type { Site } from "./site.ts";

export interface Laws {
  /** The newest revision's. */
  state(): ProjectState | null;
  readonly revisions: readonly RecordRevision[];
  /** Of what was acknowledged: all that nobody has accepted the loss of since. */
  promised(acknowledged: readonly string[]): string[];
  /** Records that a lost node alone had, which others have gone on without. */
  readonly losses: readonly AcceptedLoss[];
  /** Every lost record stands in a branch that the record knows of, on the node that had it. */
  findMissingBranch(): string | null;
  /** The receipts of all deploys that have ended. */
  receipts(): EndedDeploy[];
  /** What must hold once everything is mended and at rest. */
  checkEnd(accepted: readonly string[]): Promise<void>;
}

export interface AcceptedLoss {
  readonly node: NodeId;
  readonly ids: readonly string[];
}

const DATA = VolumeName.parse("data");
const project = PROJECT;
const never = new AbortController().signal;

export const enforceLaws = (
  site: Pick<Site, "world" | "store" | "directory">,
  nodes: readonly Node[],
  acknowledged: () => readonly string[],
): Laws => {
  const { world, store } = site;
  const revisions: RecordRevision[] = [];
  const state = (): ProjectState | null => revisions.at(-1)?.state ?? null;
  const prefix = volumePrefix(project, DATA);
  let looks = 0;

  /** The log of a snapshot, read back from the store as a restore would. */
  const logOf = async (snapshotId: string): Promise<string[]> => {
    looks += 1;
    const directory = join(site.directory, `look-${looks}`);
    const place = { store: store.raw, prefix, snapshotId, directory, base: null };
    const indexFile = `${directory}.index`;
    await hydrate({ ...place, indexFile, fileSystem: simulatedFileSystem }, never);
    const log = readLog(directory);
    rmSync(directory, { recursive: true });
    rmSync(indexFile, { force: true });
    return log;
  };
  const waived = new Set<string>();
  const losses: AcceptedLoss[] = [];
  const promised = (from = acknowledged()): string[] => from.filter((id) => !waived.has(id));
  const waiveAllBut = async (snapshotId: string | null): Promise<string[]> => {
    const kept = new Set(snapshotId === null ? [] : await logOf(snapshotId));
    const ids = promised().filter((id) => !kept.has(id));
    for (const id of ids) waived.add(id);
    return ids;
  };
  /** An accepted loss, or a deploy that goes back to a restore point on somebody's word. */
  const settleLosses = async (before: ProjectState | null, now: ProjectState): Promise<void> => {
    const loss = now.volumes[DATA]?.losses.at(-1);
    if (loss !== undefined && loss.epoch !== before?.volumes[DATA]?.losses.at(-1)?.epoch) {
      const node = nodes.find(({ id }) => id === loss.node);
      if (node !== undefined && writersOf(node).length > 0) {
        world.breach(`I1: ${loss.node} writes while it is given up`);
      }
      losses.push({ node: loss.node, ids: await waiveAllBut(loss.snapshotId) });
    }
    const ended = now.history.at(-1);
    const isNew = ended !== undefined && ended.id !== before?.history.at(-1)?.id;
    const restored = ended?.volumes[DATA]?.restore ?? null;
    if (isNew && ended.result === "deployed" && restored !== null) await waiveAllBut(restored);
  };
  const checkSnapshot = async (id: string, promised: readonly string[], law: string) => {
    try {
      const loss = findLoss(await logOf(id), promised);
      if (loss !== null) world.breach(`${law}: snapshot ${id}: ${loss}`);
    } catch (error) {
      world.breach(`I6: snapshot ${id} can't be read: ${String(error)}`);
    }
  };
  store.onPut = async (key, body) => {
    if (!key.startsWith(recordPrefix(project))) return;
    const revision = RecordRevision.parse(JSON.parse(body.toString()));
    const before = revisions.at(-1);
    checkChain(before, revision, (what) => world.breach(what));
    revisions.push(revision);
    const { deploy, volumes } = revision.state;
    const head = volumes[DATA]?.head ?? null;
    world.note(`revision ${revision.rev}: ${deploy?.phase.name ?? "at rest"}`);
    await settleLosses(before?.state ?? null, revision.state);
    const isNew = head !== null && head.id !== before?.state.volumes[DATA]?.head?.id;
    if (isNew) await checkSnapshot(head.id, promised(), "I3");
  };
  store.onDelete = async (keys) => {
    const current = state();
    if (current === null) return;
    const roots = rootsOf(current);
    const place = { store: store.raw, prefix, roots };
    const reachable = await reachableObjects(place, never).catch(() => new Set<string>());
    for (const key of keys) {
      if (key.startsWith(`${prefix}/`) && reachable.has(key.slice(prefix.length + 1))) {
        world.breach(`I8: ${key} is deleted, and a snapshot needs it`);
      }
    }
  };
  world.watch(() => checkWriters(nodes, (what) => world.breach(what)));
  const receipts = (): EndedDeploy[] =>
    [...store.objects]
      .filter(([key]) => key.startsWith(`projects/${project}/deploys/`))
      .map(([, body]) => EndedDeploy.parse(JSON.parse(body.toString())));
  return {
    state,
    revisions,
    receipts,
    promised,
    losses,
    findMissingBranch: () => findMissingBranch(nodes, state(), losses),
    checkEnd: async (accepted) => {
      const ended = receipts();
      for (const requestId of accepted) {
        const receipt = ended.find((one) => one.requestId === requestId);
        if (receipt === undefined) world.breach(`L2: request ${requestId} came to no end`);
        else if (receipt.result !== "deployed" && receipt.reason === null) {
          world.breach(`L2: request ${requestId} is ${receipt.result} without a reason`);
        }
      }
      const missing = findMissingBranch(nodes, state(), losses);
      if (missing !== null) world.breach(`I4: ${missing}`);
      const now = state();
      for (const id of now === null ? [] : rootsOf(now)) await checkSnapshot(id, [], "I6");
      checkData(nodes, revisions, promised(), (what) => world.breach(what));
    },
  };
};

type Breach = (what: string) => void;

const checkChain = (
  before: RecordRevision | undefined,
  revision: RecordRevision,
  breach: Breach,
): void => {
  if (revision.rev !== (before?.rev ?? -1) + 1)
    breach(`I7: revision ${revision.rev} is out of turn`);
  if (revision.prevWriteId !== (before?.writeId ?? null)) {
    breach(`I7: revision ${revision.rev} was decided on another one than the last`);
  }
  if (revision.state.epochCounter < (before?.state.epochCounter ?? 0)) {
    breach("I5: the epoch counter went back");
  }
  const epoch = revision.state.volumes[DATA]?.epoch ?? 0;
  if (epoch < (before?.state.volumes[DATA]?.epoch ?? 0)) breach("I5: the volume's epoch went back");
};

/** Everything that the record still needs: restore points, and what a deploy works with. */
const rootsOf = (state: ProjectState): string[] => {
  const volume = state.volumes[DATA];
  const move = state.deploy?.volumes[DATA];
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

/**
 * A start that a daemon executes late is known to no guard. On a node that was given up meanwhile it
 * writes to its own copy, and its ports stay closed: of such ones only those count that can be reached.
 */
const writersOf = ({ daemon, gates, hasLease }: Node) =>
  [...daemon.containers.values()].filter(({ state, data, isLate, ours }) => {
    const isReached = gates?.list().some(({ epoch }) => epoch === ours?.epoch) === true;
    return state === "running" && data !== null && (!hasLease || !isLate || isReached);
  });

const checkWriters = (nodes: readonly Node[], breach: Breach): void => {
  const writing = nodes.filter((node) => writersOf(node).length > 0);
  if (writing.length > 1) {
    breach(`I1: containers write on ${writing.map(({ id }) => id).join(" and on ")}`);
  }
  for (const node of nodes) {
    const epochs = new Set(writersOf(node).map(({ ours }) => ours?.epoch));
    if (epochs.size > 1) breach(`I1: containers of two epochs write on ${node.id}`);
  }
  const open = nodes.filter(({ gates }) => (gates?.list().length ?? 0) > 0);
  const serving = open.filter((node) => writersOf(node).length > 0);
  if (serving.length > 1) breach("I1: ports are open on two nodes");
};

/** The owner's own data: every promise is in them, and nothing of a version that was rolled back. */
const checkData = (
  nodes: readonly Node[],
  revisions: readonly RecordRevision[],
  promised: readonly string[],
  breach: Breach,
): void => {
  const volume = revisions.at(-1)?.state.volumes[DATA];
  if (volume === undefined) {
    if (promised.length > 0) breach("I4: records were acknowledged, and there is no volume");
    return;
  }
  const owner = nodes.find(({ id }) => id === volume.owner);
  const running = owner === undefined ? undefined : writersOf(owner)[0];
  const data = running?.data ?? null;
  if (owner === undefined || data === null) {
    breach("L1: nothing serves in the end");
    return;
  }
  const directory = `/proc/self/fd/${data}`;
  const loss = findLoss(readLog(directory), promised);
  if (loss !== null) breach(`I4: the owner ${owner.id}: ${loss}`);
  const undone = new Set(
    revisions.flatMap(({ state }, index) => {
      const before = revisions[index - 1]?.state.deploy?.phase;
      const isUndone = state.deploy?.phase.name === "unstarting" && before?.name === "starting";
      return isUndone ? [before.epoch] : [];
    }),
  );
  const left = readStarts(directory).find((epoch) => undone.has(epoch as never));
  if (left !== undefined)
    breach(`I2: the data hold what epoch ${left} wrote, which was rolled back`);
};

const findMissingBranch = (
  nodes: readonly Node[],
  state: ProjectState | null,
  losses: readonly AcceptedLoss[],
): string | null => {
  for (const { node: name, ids } of losses) {
    if (ids.length === 0) continue;
    const root = nodes.find(({ id }) => id === name)?.root ?? "";
    const isKept = state?.volumes[DATA]?.branches.some(({ node, epoch }) => {
      if (node !== name) return false;
      const path = join(root, "volumes", PROJECT, DATA, `branch-e${epoch}`, "data");
      const log = new Set(readLog(path));
      return ids.every((id) => log.has(id));
    });
    if (isKept !== true) return `no branch on ${name} has ${ids.join(", ")}`;
  }
  return null;
};
