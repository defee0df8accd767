/** How a node comes to have the directory of an epoch; as functions/volume-copies.ts does it. */
import type { Epoch, LeaseSession, NodeId, SnapshotId } from "../../workflows/ids.ts";
import type { RunOrder, VolumeOrder } from "../../workflows/node/assignment.ts";
import { isGivenUp } from "../../workflows/node/given-up.ts";
import type { ProjectState, VolumeState } from "../../workflows/record.ts";
import type { Rules } from "./rules.ts";
import {
  type Content,
  type CopyWorld,
  changeCopy,
  emptyOf,
  findCopy,
  type NodeWorld,
  type StoreWorld,
} from "./world.ts";

/** By the real rule. */
export const isGivenUpCopy = (
  { epoch, marker }: Pick<CopyWorld, "epoch" | "marker">,
  volume: VolumeState,
  node: string,
): boolean =>
  isGivenUp(
    { epoch: epoch as Epoch, snapshotId: marker as SnapshotId | null },
    volume,
    asNode(node),
  );

export const liveName = ({ name, epoch }: Pick<VolumeOrder, "name" | "epoch">): string =>
  `${name} live-e${epoch}`;

export const contentIn = (store: StoreWorld, snapshotId: string): Content =>
  store.current.includes(snapshotId) ? "current" : "behind";

/** The order's first volume whose directory does not stand. */
export const findMissing = (node: NodeWorld, order: RunOrder): VolumeOrder | undefined =>
  order.volumes.find((volume) => findCopy(node, liveName(volume)) === undefined);

/** The node with the directory, or null where it has no right to make one. */
export const materialise = (
  node: NodeWorld,
  store: StoreWorld,
  order: VolumeOrder,
  mayHydrate: boolean,
  rules: Rules,
): NodeWorld | null => {
  const { name: volume, epoch, origin } = order;
  const live = { volume, role: "live" as const, epoch, marker: null, taintedBy: 0 };
  const copies = node.copies.filter((copy) => copy.volume === volume);
  if (origin.kind === "local") {
    const own = rules.findOwnCopy(
      copies.map((copy) => ({ ...copy, epoch: copy.epoch as Epoch, copy })),
      order,
    )?.copy;
    return own === undefined ? null : changeCopy(node, own, { ...own, ...live });
  }
  if (!mayHydrate) return null;
  if (origin.kind === "empty") {
    return changeCopy(node, null, { ...live, content: contentIn(store, emptyOf(volume)) });
  }
  const { snapshotId } = origin;
  const ready = copies.find(
    ({ role, marker }) => (role === "staging" || role === "sealed") && marker === snapshotId,
  );
  if (ready !== undefined) return changeCopy(node, ready, { ...ready, ...live });
  const staging = copies.find(({ role }) => role === "staging") ?? null;
  return changeCopy(node, staging, { ...live, content: contentIn(store, snapshotId) });
};

/** For the variant that trusts the head more than the disk. */
export const hydrateAgain = (
  node: NodeWorld,
  store: StoreWorld,
  order: RunOrder,
  state: ProjectState,
): NodeWorld => {
  let next = node;
  for (const volume of order.volumes) {
    const copy = findCopy(next, liveName(volume));
    const head = state.volumes[volume.name]?.head?.id ?? emptyOf(volume.name);
    if (copy === undefined) continue;
    next = changeCopy(next, copy, { ...copy, content: contentIn(store, head) }) ?? next;
  }
  return next;
};

export const sessionOf = ({ isHeld, session }: NodeWorld): LeaseSession | null =>
  isHeld ? (session as LeaseSession) : null;

/** What the node's real rules see. */
export const observe = (node: NodeWorld): Parameters<Rules["reconcile"]>[1] => ({
  containers: node.running.map(({ container, epoch }) => ({
    container: container as RunOrder["container"],
    epoch: epoch as Epoch,
    isRunning: true,
  })),
  directories: node.copies
    .filter(({ role }) => role === "live")
    .map(({ volume, epoch }) => ({
      volume: volume as VolumeOrder["name"],
      epoch: epoch as Epoch,
    })),
  session: sessionOf(node),
  gates: node.gates.map(({ container, epoch }) => ({
    container: container as RunOrder["container"],
    epoch: epoch as Epoch,
  })),
});

/** Fences only rise; the same node where they stand high enough. */
export const raiseFences = (
  node: NodeWorld,
  { containers, volumes }: ReturnType<Rules["assignNode"]>["fences"],
): NodeWorld => {
  const { fences } = node;
  const isHigh = isAbove(fences.containers, containers) && isAbove(fences.volumes, volumes);
  if (isHigh) return node;
  const raised = {
    containers: raise(fences.containers, containers),
    volumes: raise(fences.volumes, volumes),
  };
  return { ...node, fences: raised };
};

type Epochs = Readonly<Record<string, number>>;

const isAbove = (held: Epochs, wanted: Epochs): boolean =>
  Object.entries(wanted).every(([name, epoch]) => (held[name] ?? 0) >= epoch);

const raise = (held: Epochs, wanted: Epochs): Record<string, number> => {
  const raised = { ...held };
  for (const [name, epoch] of Object.entries(wanted)) {
    raised[name] = Math.max(raised[name] ?? 0, epoch);
  }
  return raised;
};

export const isAllowed = (node: NodeWorld, order: RunOrder, rules: Rules): boolean =>
  rules.isStartAllowed(order, node.fences as Parameters<Rules["isStartAllowed"]>[1]);

/** The start handed to the daemon, with its bind sources; it executes them when it likes. */
export const handToDaemon = (node: NodeWorld, order: RunOrder): NodeWorld => {
  const { container, epoch } = order;
  const sources = order.volumes.map(liveName);
  const queued = node.queued.filter((q) => q.container !== container || q.epoch !== epoch);
  return {
    ...node,
    queued: [...queued, { container, epoch, sources }].sort((a, b) =>
      a.container === b.container ? a.epoch - b.epoch : a.container < b.container ? -1 : 1,
    ),
  };
};

export const isRunning = (node: NodeWorld, order: Pick<RunOrder, "container" | "epoch">) =>
  node.running.some((r) => r.container === order.container && r.epoch === order.epoch);

export const asNode = (node: string): NodeId => node as NodeId;

/** Copies without the branches that nobody has to keep: no rule ever reads them. */
export const forgetBranches = (node: NodeWorld): NodeWorld =>
  node.copies.some(isForgettable)
    ? { ...node, copies: node.copies.filter((copy) => !isForgettable(copy)) }
    : node;

const isForgettable = ({ role, content }: CopyWorld): boolean =>
  role === "branch" && content !== "given-up";
