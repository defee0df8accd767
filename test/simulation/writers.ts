/** Containers that write, as seen from outside. */
import type { Node } from "./node.ts";

/**
 * A start that a daemon executes late is known to no guard. On a node that was given up meanwhile it
 * writes to its own copy, and its ports stay closed: of such ones only those count that can be reached.
 */
export const writersOf = ({ daemon, gates, hasLease }: Node) =>
  [...daemon.containers.values()].filter(({ state, held, isLate, ours }) => {
    const isReached = gates?.list().some(({ epoch }) => epoch === ours?.epoch) === true;
    return state === "running" && held.length > 0 && (!hasLease || !isLate || isReached);
  });

export const checkWriters = (nodes: readonly Node[], breach: (what: string) => void): void => {
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
