/** What an exploration begins with, and what may happen in it. */
import type { ProjectState } from "../../workflows/record.ts";
import type { Push } from "./control-moves.ts";
import type { NodeWorld, StoreWorld } from "./world.ts";

export interface Scenario {
  readonly name: string;
  readonly says: string;
  readonly record: ProjectState;
  readonly nodes: Readonly<Record<string, NodeWorld>>;
  /** Nodes that nothing tells apart, neither here nor in a push: they may change places. */
  readonly alike: readonly string[];
  readonly store: StoreWorld;
  readonly pushes: readonly Push[];
  /** Deaths, deadlines, cancellations, full stores; Infinity: as many as one likes. */
  readonly troubles: number;
  /** Steps that a node may have in work at once: with two, one may stand still for a day. */
  readonly tasksMax: number;
  /** Images that never become healthy. */
  readonly sick: readonly string[];
  readonly canCancel: boolean;
  readonly canLose: boolean;
  /** Nodes hold leases, and volumes go on without a node whose lease is over; so often. */
  readonly hasLeases: boolean;
  readonly failoversMax: number;
  /** Where an exploration ends, if it is not to end where most do. */
  readonly statesMax?: number;
  /** Where nothing serves and nothing has to. */
  readonly mayRest: (record: ProjectState) => boolean;
}
