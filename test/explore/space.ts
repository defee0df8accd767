/**
 * The states of a scenario as a handful of numbers each: the record, the store, what may still happen,
 * every node. What a node can do next depends on itself, the record and the store alone, so it is
 * worked out once for each such triple, by the real rules; the same holds for the control.
 */

import { findSurprise } from "./ancient.ts";
import { createCanonical } from "./canonical.ts";
import {
  acceptLoss,
  awaitedOnly,
  clearTaint,
  committedEpochs,
  outdateStore,
} from "./consequences.ts";
import { type ControlOutcome, controlMoves, type Machine } from "./control-moves.ts";
import type { ExploredSpace, Visit } from "./explored-space.ts";
import { canonicalJson, createInterner, memoise } from "./interner.ts";
import { CHANGE_INVARIANTS, STATE_INVARIANTS, serves, type View } from "./invariants.ts";
import { nodeMoves } from "./node-moves.ts";
import { createRecords, describeRecord, normalise } from "./records.ts";
import type { Rules } from "./rules.ts";
import type { Scenario } from "./scenario.ts";
import { stepMoves } from "./step-moves.ts";
import { createViews } from "./views.ts";
import { type Budget, type NodeWorld, outdate, type StoreWorld } from "./world.ts";

export interface Space extends ExploredSpace {
  readonly viewOf: (state: Uint32Array) => View;
  readonly requestsLeft: (state: Uint32Array) => number;
}

const [RECORD, STORE, BUDGET, NODES] = [0, 1, 2, 3] as const;

export const createSpace = (scenario: Scenario, rules: Rules): Space => {
  const records = createRecords();
  const stores = createInterner<StoreWorld>(canonicalJson);
  const budgets = createInterner<Budget>(canonicalJson);
  const nodes = createInterner<NodeWorld>(canonicalJson);
  const labels = createInterner<string>((label) => label);
  const names = Object.keys(scenario.nodes);
  const width = NODES + names.length;
  const ends = new Set<string>();
  const isSick = (image: string) => scenario.sick.includes(image);
  const next = new Uint32Array(width);
  const word = (state: Uint32Array, at: number): number => state[at] ?? 0;

  const views = createViews(records, rules);
  const { agentView, taskView } = views;
  const canonical = createCanonical(
    { records, stores, nodes, views, names, alike: scenario.alike },
    { record: RECORD, store: STORE, nodes: NODES },
  );
  const movesOfNode = memoise(
    (name: string, node: number, record: number, store: number) =>
      `${name} ${node} ${record} ${store}`,
    (name, node, record, store) => {
      const scene = {
        name,
        node: nodes.valueOf(node),
        store: stores.valueOf(store),
        record: records.valueOf(record),
        agentView: agentView(record, name),
        taskView: taskView(record),
        recordOf: records.valueOf,
        rules,
        tasksMax: scenario.tasksMax,
        hasLeases: scenario.hasLeases,
        isSick,
      };
      return [...nodeMoves(scene), ...stepMoves(scene)].map((outcome) => ({
        ...{ breach: outcome.breach ?? null, isTrouble: outcome.isTrouble === true },
        ...{ acknowledged: outcome.acknowledged, copy: outcome.copy ?? null },
        label: labels.idOf(`${name}: ${outcome.label}`),
        node: outcome.node === undefined ? node : nodes.idOf(outcome.node),
        store: outcome.store === undefined ? store : stores.idOf(outcome.store),
      }));
    },
  );
  const movesOfControl = memoise(
    (record: number, store: number, machines: string, requestsLeft: number) =>
      `${record} ${store} ${machines} ${requestsLeft}`,
    (record, store, machines, requestsLeft) => {
      const before = records.valueOf(record);
      const found = controlMoves({
        ...scenario,
        record: before,
        store: stores.valueOf(store),
        machines: JSON.parse(machines) as Record<string, Machine>,
        requestsLeft,
        rules,
      });
      return found.map((outcome) => foldChange(record, store, outcome));
    },
  );
  const machinesText = memoise(
    (ids: readonly number[]) => ids.join(" "),
    (ids) => {
      const seen = ids.map((id, i) => {
        const { isOn, isHeld, session, seenOver } = nodes.valueOf(id);
        return [names[i], { isOn, isHeld, session, seenOver }];
      });
      return JSON.stringify(Object.fromEntries(seen));
    },
  );
  const foldChange = (record: number, store: number, outcome: ControlOutcome) => {
    const before = records.valueOf(record);
    for (const { result } of outcome.state.history.slice(before.history.length)) ends.add(result);
    const breach = Object.values(CHANGE_INVARIANTS)
      .map(({ check }) => check(before, outcome.state))
      .find((found) => found !== null);
    const after = normalise(outcome.state);
    return {
      ...outcome,
      breach: breach ?? null,
      label: labels.idOf(outcome.label),
      record: records.idOf(after),
      store: stores.idOf(awaitedOnly(stores.valueOf(store), after)),
      committed: committedEpochs(before, after),
    };
  };
  const outdated = memoise(
    (node: number, volume: string, written: string | null) => `${node} ${volume} ${written}`,
    (node, volume, written) => nodes.idOf(outdate(nodes.valueOf(node), volume, written)),
  );
  const overlooked = memoise(
    (node: number) => String(node),
    (node) => nodes.idOf({ ...nodes.valueOf(node), seenOver: 0 }),
  );
  const spent = memoise(
    (budget: number, isTrouble: boolean, isRequest: boolean) =>
      `${budget} ${isTrouble} ${isRequest}`,
    (budget, isTrouble, isRequest) => {
      const { requests, troubles } = budgets.valueOf(budget);
      return budgets.idOf({
        requests: requests - (isRequest ? 1 : 0),
        // A scenario without a bound on troubles has none to count.
        troubles: isTrouble && Number.isFinite(scenario.troubles) ? troubles - 1 : troubles,
      });
    },
  );

  const visitNode = (state: Uint32Array, at: number, canTrouble: boolean, visit: Visit): void => {
    const name = names[at] ?? "";
    const [record, store] = [word(state, RECORD), word(state, STORE)];
    for (const move of movesOfNode(name, word(state, NODES + at), record, store)) {
      if (move.isTrouble && !canTrouble) continue;
      next.set(state);
      next[NODES + at] = move.node;
      next[STORE] = move.store;
      if (move.isTrouble) next[BUDGET] = spent(word(state, BUDGET), true, false);
      if (move.acknowledged !== undefined) {
        const { acknowledged: volume, copy } = move;
        for (let other = 0; other < names.length; other += 1) {
          const slot = NODES + other;
          next[slot] = outdated(word(next, slot), volume, other === at ? copy : null);
        }
        next[STORE] = stores.idOf(outdateStore(stores.valueOf(word(next, STORE)), volume));
      }
      visit(next, move.label, move.breach);
    }
  };
  const visitControl = (state: Uint32Array, canTrouble: boolean, visit: Visit): void => {
    const { requests } = budgets.valueOf(word(state, BUDGET));
    const machines = machinesText(names.map((_, i) => word(state, NODES + i)));
    for (const move of movesOfControl(
      word(state, RECORD),
      word(state, STORE),
      machines,
      requests,
    )) {
      if (move.isTrouble && !canTrouble) continue;
      next.set(state);
      next[RECORD] = move.record;
      next[STORE] = move.store;
      for (let i = 0; i < names.length; i += 1) {
        next[NODES + i] = overlooked(word(next, NODES + i));
      }
      if (move.isTrouble || move.isRequest) {
        next[BUDGET] = spent(word(state, BUDGET), move.isTrouble, move.isRequest);
      }
      if (move.committed.length > 0) {
        for (let i = 0; i < names.length; i += 1) {
          const cleared = clearTaint(nodes.valueOf(word(next, NODES + i)), move.committed);
          next[NODES + i] = nodes.idOf(cleared);
        }
      }
      if (move.isLoss) loseInto(word(state, RECORD));
      visit(next, move.label, move.breach);
    }
  };
  const loseInto = (before: number): void => {
    const worlds = names.map((_, i) => nodes.valueOf(word(next, NODES + i)));
    const after = acceptLoss(
      records.valueOf(before),
      records.valueOf(word(next, RECORD)),
      stores.valueOf(word(next, STORE)),
      worlds,
    );
    next[STORE] = stores.idOf(after.store);
    after.nodes.forEach((node, i) => {
      next[NODES + i] = nodes.idOf(node);
    });
  };
  const viewOf = (state: Uint32Array): View => ({
    record: records.valueOf(word(state, RECORD)),
    store: stores.valueOf(word(state, STORE)),
    nodes: Object.fromEntries(
      names.map((name, i) => [name, nodes.valueOf(word(state, NODES + i))]),
    ),
    rules,
  });
  return {
    width,
    viewOf,
    canonical,
    start: () => {
      const words = new Uint32Array(width);
      words[RECORD] = records.idOf(normalise(scenario.record));
      words[STORE] = stores.idOf(scenario.store);
      const troubles = Number.isFinite(scenario.troubles) ? scenario.troubles : 1;
      words[BUDGET] = budgets.idOf({ requests: scenario.pushes.length, troubles });
      names.forEach((name, i) => {
        const node = scenario.nodes[name] as NodeWorld;
        words[NODES + i] = nodes.idOf(
          node.view === null ? node : { ...node, view: words[RECORD] ?? 0 },
        );
      });
      return words;
    },
    visitNext: (state, visit) => {
      const canTrouble = budgets.valueOf(word(state, BUDGET)).troubles > 0;
      visitControl(state, canTrouble, visit);
      for (let at = 0; at < names.length; at += 1) visitNode(state, at, canTrouble, visit);
    },
    check: (state) => {
      const view = viewOf(state);
      for (const { check } of Object.values(STATE_INVARIANTS)) {
        const broken = check(view);
        if (broken !== null) return broken;
      }
      return null;
    },
    goals: [
      {
        otherwise: "L1: from here nothing can ever serve again",
        isReached: (state) =>
          serves(viewOf(state), isSick) || scenario.mayRest(viewOf(state).record),
      },
      {
        otherwise: "L2: from here the request can never end",
        isReached: (state) => {
          const { deploy, desired } = records.valueOf(word(state, RECORD));
          return deploy === null && desired === null;
        },
      },
    ],
    requestsLeft: (state) => budgets.valueOf(word(state, BUDGET)).requests,
    afterwards: () => {
      const all = Array.from({ length: records.count() }, (_, id) => records.valueOf(id));
      const found = findSurprise(all, scenario.pushes, rules);
      return found === null
        ? null
        : { what: found.what, isIn: (state) => word(state, RECORD) === found.record };
    },
    describe: (state) => describeRecord(records.valueOf(word(state, RECORD))),
    labelOf: labels.idOf,
    labelText: labels.valueOf,
    recordCount: records.count,
    ends: () => [...ends].sort(),
  };
};
