/**
 * Of records that a node can't tell apart, one stands for all: an agent acts on what the record asks
 * of its node, a step on its deploy and volumes, and neither on who else is awaited.
 */
import type { ProjectState } from "../../workflows/record.ts";
import { canonicalJson, type Interner, memoise } from "./interner.ts";
import { asNode } from "./materialise.ts";
import type { Rules } from "./rules.ts";

export interface Views {
  readonly agentView: (record: number, node: string) => number;
  readonly taskView: (record: number) => number;
  /** All that an agent takes from the record, as a value. */
  readonly told: (record: number, node: string) => unknown;
}

export const createViews = (records: Interner<ProjectState>, rules: Rules): Views => {
  const first = new Map<string, number>();
  const representative = (key: string, record: number): number => {
    const known = first.get(key);
    if (known !== undefined) return known;
    first.set(key, record);
    return record;
  };
  const told = (record: number, node: string): unknown => {
    const state = records.valueOf(record);
    const assignment = rules.assignNode(state, asNode(node));
    // With no deploy under way an agent also looks after its caches.
    const idle = state.deploy === null ? lineages(state) : null;
    return [node, assignment, idle];
  };
  return {
    told,
    agentView: memoise(
      (record: number, node: string) => `${record} ${node}`,
      (record, node) => representative(canonicalJson(told(record, node)), record),
    ),
    taskView: memoise(
      (record: number) => String(record),
      (record) => {
        const { deploy, ...state } = records.valueOf(record);
        const plain =
          deploy === null ? null : { ...deploy, phase: { ...deploy.phase, awaits: [] } };
        const key = { ...state, deploy: plain, history: [], desired: null, endedAttempts: [] };
        return representative(canonicalJson(["step", key]), record);
      },
    ),
  };
};

const lineages = ({ volumes }: ProjectState) =>
  Object.entries(volumes).map(([name, { epoch, origin, owner, losses, snapshots }]) => ({
    ...{ name, epoch, origin, owner, losses },
    // Which of its sealed copies are known is only asked after a loss.
    snapshots: losses.length === 0 ? [] : snapshots,
  }));
