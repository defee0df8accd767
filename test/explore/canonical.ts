/**
 * Of states that are one but for names, one stands for all: epochs are numbered anew without gaps, and of
 * the ways to name nodes that nothing tells apart the one with the smallest numbers is taken. Exact: what
 * can happen in the one can happen in the other, under the other names.
 */
import type { ProjectState } from "../../workflows/record.ts";
import type { Interner } from "./interner.ts";
import { memoise } from "./interner.ts";
import { collectEpochs, type Names, rename } from "./rename.ts";
import type { Views } from "./views.ts";
import type { NodeWorld, StoreWorld } from "./world.ts";

interface Parts {
  readonly records: Interner<ProjectState>;
  readonly stores: Interner<StoreWorld>;
  readonly nodes: Interner<NodeWorld>;
  readonly views: Views;
  /** Names of the nodes, in the order of their words. */
  readonly names: readonly string[];
  /** Those that may change places. */
  readonly alike: readonly string[];
}

/** Where the words of a state are. */
interface Layout {
  readonly record: number;
  readonly store: number;
  readonly nodes: number;
}

/** Changes the state's words in place. */
export const createCanonical = (parts: Parts, at: Layout): ((state: Uint32Array) => void) => {
  const { records, stores, nodes, views, names, alike } = parts;
  const others = permutations(names, alike).slice(1);
  const epochsOfRecord = remember((id) => epochsIn(records.valueOf(id)));
  const epochsOfStore = remember((id) => epochsIn(stores.valueOf(id)));
  // Of what an agent once read it knows no more than it was told: other epochs are nothing to it.
  const epochsOfNode = names.map((name) =>
    remember((id) => {
      const { view, tasks, ...rest } = nodes.valueOf(id);
      const told = view === null ? 0 : epochsIn(views.told(view, name));
      return tasks.reduce(
        (seen, task) => seen | epochsOfRecord(task.view),
        epochsIn([rest, tasks]) | told,
      );
    }),
  );
  const renamed = createRenamed(parts);
  const spare = new Uint32Array(at.nodes + names.length);
  const least = new Uint32Array(spare.length);

  const renameAll = (state: Uint32Array, into: Uint32Array, order: Naming): void => {
    into.set(state);
    into[at.record] = renamed.record(state[at.record] ?? 0, order);
    into[at.store] = renamed.store(state[at.store] ?? 0, order);
    names.forEach((name, i) => {
      const to = order.node(name);
      into[at.nodes + names.indexOf(to)] = renamed.node(state[at.nodes + i] ?? 0, to, order);
    });
  };
  return (state) => {
    let used = epochsOfRecord(state[at.record] ?? 0) | epochsOfStore(state[at.store] ?? 0);
    for (let i = 0; i < names.length; i += 1)
      used |= epochsOfNode[i]?.(state[at.nodes + i] ?? 0) ?? 0;
    if ((used & (used + 1)) !== 0) {
      renameAll(state, spare, epochNaming(used));
      state.set(spare);
    }
    if (others.length === 0) return;
    least.set(state);
    for (const order of others) {
      renameAll(state, spare, order);
      if (isLess(spare, least)) least.set(spare);
    }
    state.set(least);
  };
};

const isLess = (a: Uint32Array, b: Uint32Array): boolean => {
  for (const [i, word] of a.entries()) {
    const other = b[i] ?? 0;
    if (word !== other) return word < other;
  }
  return false;
};

/** More than any scenario gives out. */
const EPOCHS_MAX = 30;

/** A bit for each epoch that the value speaks of, from 1 on. */
const epochsIn = (value: unknown): number => {
  const found = new Set<number>();
  collectEpochs(value, found);
  let bits = 0;
  for (const epoch of found) {
    if (epoch > EPOCHS_MAX) throw new Error(`epoch ${epoch} is more than can be told apart`);
    bits |= 1 << (epoch - 1);
  }
  return bits;
};

const remember = (compute: (id: number) => number): ((id: number) => number) => {
  const known: number[] = [];
  return (id) => {
    known[id] ??= compute(id);
    return known[id];
  };
};

/** Compared by identity: equal ones are one. */
type Naming = Names;

const namings = new Map<number, Naming>();

const epochNaming = (used: number): Naming => {
  const known = namings.get(used);
  if (known !== undefined) return known;
  const sorted = Array.from({ length: EPOCHS_MAX }, (_, i) => i + 1).filter(
    (epoch) => (used & (1 << (epoch - 1))) !== 0,
  );
  const naming: Naming = {
    // One that is not used is where the last one before it is.
    epoch: (epoch) => sorted.filter((other) => other <= epoch).length,
    node: (name) => name,
  };
  namings.set(used, naming);
  return naming;
};

/** Every way in which the nodes that are alike may change places; the first changes nothing. */
const permutations = (names: readonly string[], alike: readonly string[]): Naming[] =>
  orders(alike).map((order) => ({
    epoch: (epoch) => epoch,
    node: (name) => {
      const place = alike.indexOf(name);
      return place === -1 || !names.includes(name) ? name : (order[place] ?? name);
    },
  }));

const orders = (items: readonly string[]): string[][] =>
  items.length === 0
    ? [[]]
    : items.flatMap((item) =>
        orders(items.filter((other) => other !== item)).map((rest) => [item, ...rest]),
      );

/** Each part under each naming is worked out once. */
const createRenamed = ({ records, stores, nodes, views }: Parts) => {
  const record = rememberByNaming((id, naming) =>
    records.idOf(sortAwaits(rename(records.valueOf(id), naming))),
  );
  const store = rememberByNaming((id, naming) => {
    const { reports, current, broken } = rename(stores.valueOf(id), naming);
    const sorted = [...reports].sort((a, b) => (stepAndNode(a) < stepAndNode(b) ? -1 : 1));
    return stores.idOf({ reports: sorted, current: [...current].sort(), broken });
  });
  const nodeNamed = memoise(
    (name: string) => name,
    (name) =>
      rememberByNaming((id, naming) => {
        const { view, tasks, ...rest } = rename(nodes.valueOf(id), naming);
        const renamed: NodeWorld = {
          ...rest,
          view: view === null ? null : views.agentView(record(view, naming), name),
          tasks: tasks.map((task) => ({
            ...task,
            view: views.taskView(record(task.view, naming)),
          })),
        };
        return nodes.idOf(renamed);
      }),
  );
  const node = (id: number, name: string, naming: Naming): number => nodeNamed(name)(id, naming);
  return { record, store, node };
};

const rememberByNaming = (
  compute: (id: number, naming: Naming) => number,
): ((id: number, naming: Naming) => number) => {
  const known = new Map<Naming, (id: number) => number>();
  return (id, naming) => {
    let renamed = known.get(naming);
    if (renamed === undefined) {
      renamed = remember((one) => compute(one, naming));
      known.set(naming, renamed);
    }
    return renamed(id);
  };
};

const stepAndNode = (owed: { readonly step: string; readonly node: string }): string =>
  `${owed.step} ${owed.node}`;

const sortAwaits = (state: ProjectState): ProjectState => {
  const { deploy } = state;
  if (deploy === null) return state;
  const awaits = [...deploy.phase.awaits].sort((a, b) =>
    stepAndNode(a) < stepAndNode(b) ? -1 : 1,
  );
  return { ...state, deploy: { ...deploy, phase: { ...deploy.phase, awaits } } };
};
