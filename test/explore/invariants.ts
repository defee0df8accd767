/**
 * What must hold, by name: in every state, and over every change of the record. Each function answers
 * with a sentence that says what is broken, or null.
 */
import type { NodeId, VolumeName } from "../../workflows/ids.ts";
import type { ProjectState, VolumeState } from "../../workflows/record.ts";
import type { Rules } from "./rules.ts";
import { type CopyWorld, emptyOf, type NodeWorld, type StoreWorld } from "./world.ts";

export interface View {
  readonly record: ProjectState;
  readonly nodes: Readonly<Record<string, NodeWorld>>;
  readonly store: StoreWorld;
  readonly rules: Rules;
}

/** I1: of a volume, containers of one epoch on one node run at most, whether their gate is open or not. */
export const oneWriter = ({ nodes, record }: View): string | null => {
  const writers = new Map<string, string>();
  for (const [name, { running, gates }] of Object.entries(nodes)) {
    for (const { container, epoch, mounts, isLate } of running) {
      const writer = `e${epoch} on ${name}`;
      for (const mount of mounts) {
        const volume = mount.split(" ")[0] ?? "";
        const isReachable = gates.some((g) => g.container === container && g.epoch === epoch);
        const isNobodys = isLate === true || isGivenUp(record, volume, name, epoch);
        if (!isReachable && isNobodys) continue;
        const other = writers.get(volume) ?? writer;
        if (other !== writer) return `I1: ${volume} is written by ${other} and by ${writer}`;
        writers.set(volume, writer);
      }
    }
  }
  return null;
};

/**
 * After a fail-over a late start on the lost node writes to a directory that is nobody's any more;
 * it counts as soon as a client could reach it.
 */
const isGivenUp = (record: ProjectState, volume: string, node: string, epoch: number): boolean =>
  record.volumes[volume as VolumeName]?.losses.some(
    (loss) =>
      loss.node === node && epoch <= loss.epoch && loss.acceptedBy === "on_node_loss: restore",
  ) === true;

const SEALED = new Set(["sealed", "starting", "unstarting", "returning"]);

/** I3: from SEALED on, the head holds every acknowledged write. */
export const headHoldsAll = ({ record, store }: View): string | null => {
  const { deploy } = record;
  if (deploy === null || !SEALED.has(deploy.phase.name)) return null;
  for (const name of volumesOf(deploy.volumes)) {
    const head = record.volumes[name]?.head?.id ?? emptyOf(name);
    if (deploy.volumes[name]?.restore !== null) continue;
    if (!store.current.includes(head))
      return `I3: ${deploy.phase.name}, and the head of ${name} lacks a write`;
  }
  return null;
};

/** I4: with no deploy under way, the owner has every acknowledged write, or the head has. */
export const ownerHasAll = ({ record, nodes, store, rules }: View): string | null => {
  if (record.deploy !== null) return null;
  for (const name of volumesOf(record.volumes)) {
    const volume = record.volumes[name] as VolumeState;
    if (volume.owner === null) {
      if (volume.head !== null && !store.current.includes(volume.head.id))
        return `I4: ${name} is detached, and its head lacks a write`;
      continue;
    }
    const own = findOwned(rules, nodes[volume.owner], name, volume);
    if (own === undefined) return `I4: ${volume.owner} owns ${name} and has no copy of it`;
    if (own.content !== "current")
      return `I4: the copy of ${name} on ${volume.owner} lacks a write`;
    if (own.taintedBy !== 0)
      return `I4: ${name} holds what e${own.taintedBy} wrote before it was rolled back`;
  }
  return null;
};

const findOwned = (
  rules: Rules,
  node: NodeWorld | undefined,
  name: VolumeName,
  volume: VolumeState,
): CopyWorld | undefined => {
  const copies = node?.copies.filter((copy) => copy.volume === name) ?? [];
  return rules.findOwnCopy(
    copies.map((copy) => ({ ...copy, epoch: copy.epoch as VolumeState["epoch"] })),
    volume,
  ) as CopyWorld | undefined;
};

/** I6: the head's snapshot is whole in the store. */
export const headIsWhole = ({ record, store }: View): string | null => {
  for (const name of volumesOf(record.volumes)) {
    const head = record.volumes[name]?.head?.id;
    if (head !== undefined && store.broken.includes(head))
      return `I6: the head of ${name} lacks an object`;
  }
  return null;
};

export const STATE_INVARIANTS = {
  oneWriter: { says: "I1: a volume never has two writers", check: oneWriter },
  headHoldsAll: { says: "I3: sealed means that the head holds every write", check: headHoldsAll },
  ownerHasAll: {
    says: "I4: the committed owner has every write, and nothing rolled back",
    check: ownerHasAll,
  },
  headIsWhole: { says: "I6: the head is whole in the store", check: headIsWhole },
} as const;

/** I5: the counter never falls, and no container or volume goes back to an older epoch. */
export const epochsGrow = (before: ProjectState, after: ProjectState): string | null => {
  if (after.epochCounter < before.epochCounter) return "I5: the epoch counter fell";
  for (const name of volumesOf(after.volumes)) {
    const [old, now] = [before.volumes[name], after.volumes[name]];
    if (old !== undefined && now !== undefined && now.epoch < old.epoch)
      return `I5: ${name} went from e${old.epoch} back to e${now.epoch}`;
    if (now !== undefined && now.epoch > after.epochCounter)
      return `I5: ${name} has e${now.epoch}, which was never given out`;
    if (old !== undefined && now !== undefined && old.epoch === now.epoch && isTaken(old, now))
      return `I5: ${name} changed hands under the same epoch e${now.epoch}`;
  }
  return null;
};

const isTaken = (old: VolumeState, now: VolumeState): boolean =>
  old.owner !== null && now.owner !== null && old.owner !== now.owner;

/** I7: a revision follows from the one before: what ends stands in the history, and stays there. */
export const historyIsKept = (before: ProjectState, after: ProjectState): string | null => {
  const known = new Set(after.history.map(({ requestId }) => requestId));
  const gone = before.history.find(({ requestId }) => !known.has(requestId));
  if (gone !== undefined) return `I7: request ${gone.requestId} left the history`;
  for (const request of [before.deploy?.request, before.desired]) {
    if (request === undefined || request === null) continue;
    const isGoing = [after.deploy?.request, after.desired].some(
      (other) => other?.requestId === request.requestId,
    );
    if (!isGoing && !known.has(request.requestId))
      return `I7: request ${request.requestId} vanished without a result`;
  }
  return null;
};

/** L2: whatever ended did so with a result that a person can be told. */
export const endsHaveReasons = (before: ProjectState, after: ProjectState): string | null => {
  const known = new Set(before.history.map(({ requestId }) => requestId));
  const silent = after.history.find(
    ({ requestId, result, reason }) =>
      !known.has(requestId) && result !== "deployed" && (reason ?? "") === "",
  );
  return silent === undefined ? null : `L2: request ${silent.requestId} ended without a reason`;
};

export const CHANGE_INVARIANTS = {
  epochsGrow: { says: "I5: epochs only grow", check: epochsGrow },
  historyIsKept: { says: "I7: each revision goes on from the one before", check: historyIsKept },
  endsHaveReasons: { says: "L2: what ends, ends with a reason", check: endsHaveReasons },
} as const;

/** Of single moves; they are checked where the moves are made. */
export const MOVE_INVARIANTS = {
  ackedStandsOnAll: { says: "I2: each acknowledged write stands on all earlier ones" },
  givenUpIsKept: { says: "P3: what an accepted loss left behind is never overwritten" },
} as const;

/** Of every record there is, with every message there ever was. */
export const MESSAGE_INVARIANTS = {
  ancientIsNothing: { says: "I9: a message from another time changes nothing" },
} as const;

/** Of the whole: from each state one of these can be reached. */
export const GOALS = {
  serving: { says: "L1: from everywhere a serving state can be reached" },
  settled: { says: "L2: from everywhere the running request can come to its end" },
} as const;

/** L1 is that one of these can be reached: a gate leads to a healthy container of the owner. */
export const serves = (
  { record, nodes }: Pick<View, "record" | "nodes">,
  isSick: (image: string) => boolean,
): boolean =>
  Object.entries(nodes).some(([name, node]) =>
    node.gates.some(({ container, epoch }) => {
      const current = record.containers[container as keyof typeof record.containers];
      if (current?.node !== (name as NodeId) || current.epoch !== epoch) return false;
      const isUp = node.running.some((r) => r.container === container && r.epoch === epoch);
      return isUp && !isSick(current.spec.image);
    }),
  );

const volumesOf = (record: Readonly<Record<string, unknown>>): VolumeName[] =>
  Object.keys(record) as VolumeName[];
