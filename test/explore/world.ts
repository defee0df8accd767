/**
 * A small world around the real rules: two nodes that act on what they once read, a Docker daemon
 * that executes starts late, agents that crash, machines that reboot, reports that are folded in any
 * order. One container, one volume; data are sets of writes. What happens next is a list of moves.
 */
import type { Report } from "../../workflows/deploy/messages.ts";
import type { ProjectState } from "../../workflows/record.ts";

export interface NodeWorld {
  readonly fence: number;
  /** `live-1`, `sealed-1`, `branch-1`, `staging` → the writes in it, as bits. */
  readonly copies: Readonly<Record<string, number>>;
  readonly running: number | null;
  /** A start that the daemon was handed and has not executed. */
  readonly queued: number | null;
  readonly gate: number | null;
  /** The record as the agent last read it; null: it has just started. */
  readonly view: ProjectState | null;
}

export interface World {
  readonly state: ProjectState;
  readonly nodes: Readonly<Record<string, NodeWorld>>;
  readonly snapshots: Readonly<Record<string, number>>;
  readonly reports: Readonly<Record<string, Report>>;
  readonly writes: number;
  readonly acked: number;
  /** What may still go wrong: crashes, reboots, deadlines. */
  readonly troubles: number;
}

export interface Move {
  readonly name: string;
  readonly world: World;
}

/** Ways to break the protocol, each of which must be found out. */
export interface Mutation {
  readonly ignoreFence?: boolean;
  readonly openGateEarly?: boolean;
  readonly sealWithoutStop?: boolean;
  readonly keepDirectory?: boolean;
}

export const patch = (world: World, node: string, change: Partial<NodeWorld>): World => {
  const before = world.nodes[node];
  if (before === undefined) throw new Error(`no node ${node}`);
  return { ...world, nodes: { ...world.nodes, [node]: { ...before, ...change } } };
};

export const rename = (
  copies: NodeWorld["copies"],
  from: string,
  to: string,
): NodeWorld["copies"] => {
  const { [from]: bits, ...rest } = copies;
  return bits === undefined ? copies : { ...rest, [to]: bits };
};
