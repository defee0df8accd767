/** What else a change of the record, or a write, means for the model's own bookkeeping. */
import type { ProjectState } from "../../workflows/record.ts";
import { emptyOf, type NodeWorld, outdate, type StoreWorld, volumeOfSnapshot } from "./world.ts";

/** Reports that nobody waits for any more can't change anything. */
export const awaitedOnly = (store: StoreWorld, { deploy }: ProjectState): StoreWorld => {
  const reports = store.reports.filter(({ step, node }) =>
    deploy?.phase.awaits.some((owed) => owed.step === step && owed.node === node),
  );
  return reports.length === store.reports.length ? store : { ...store, reports };
};

/** A write makes all snapshots of its volume old. */
export const outdateStore = (store: StoreWorld, volume: string): StoreWorld => {
  const current = store.current.filter((id) => volumeOfSnapshot(id) !== volume);
  return current.length === store.current.length ? store : { ...store, current };
};

export const committedEpochs = (before: ProjectState, after: ProjectState): number[] => {
  const known = new Set(Object.values(before.containers).map(({ epoch }) => Number(epoch)));
  return Object.values(after.containers).flatMap(({ epoch }) => (known.has(epoch) ? [] : [epoch]));
};

/** With the commit, what a new version wrote as it started belongs to the volume. */
export const clearTaint = (node: NodeWorld, committed: readonly number[]): NodeWorld => {
  const isCleared = ({ taintedBy, epoch, role }: NodeWorld["copies"][number]) =>
    taintedBy !== 0 && role === "live" && epoch === taintedBy && committed.includes(epoch);
  return node.copies.some(isCleared)
    ? {
        ...node,
        copies: node.copies.map((copy) => (isCleared(copy) ? { ...copy, taintedBy: 0 } : copy)),
      }
    : node;
};

/**
 * Somebody accepted a loss: from now on the head is what counts, and what held more is given up. It
 * must stay where it is, for ever.
 */
export const acceptLoss = (
  before: ProjectState,
  after: ProjectState,
  store: StoreWorld,
  nodes: readonly NodeWorld[],
): { readonly store: StoreWorld; readonly nodes: readonly NodeWorld[] } => {
  let result = { store, nodes };
  for (const [name, volume] of Object.entries(before.volumes)) {
    const now = after.volumes[name as keyof typeof after.volumes];
    if (now === undefined || now.owner === volume.owner) continue;
    const head = now.head?.id ?? emptyOf(name);
    if (result.store.current.includes(head)) continue;
    const current = outdateStore(result.store, name).current;
    result = {
      store: { ...result.store, current: [...current, head].sort() },
      nodes: result.nodes.map((node) => giveUp(node, name, head)),
    };
  }
  return result;
};

const giveUp = (node: NodeWorld, volume: string, head: string): NodeWorld => {
  const marked = {
    ...node,
    copies: node.copies.map((copy) => {
      if (copy.volume !== volume) return copy;
      if (copy.marker === head) return { ...copy, content: "current" as const };
      return copy.content === "current" ? { ...copy, content: "given-up" as const } : copy;
    }),
  };
  // Snapshots under way hold more than the head, and so are not what counts now.
  const { tasks } = outdate(marked, volume, null);
  return { ...marked, tasks };
};
