/** The states of a scenario of garbage: the record, and the world of objects around it. */
import type { Decision } from "../../../workflows/deploy/messages.ts";
import type { ProjectState } from "../../../workflows/record.ts";
import type { ExploredSpace } from "../explored-space.ts";
import { canonicalJson, createInterner, memoise } from "../interner.ts";
import { describeRecord, normalise } from "../records.ts";
import { collectorMoves } from "./collector-moves.ts";
import { findLeftOver, findLost } from "./garbage-invariants.ts";
import type { GarbageRules } from "./garbage-rules.ts";
import type { GarbageScenario } from "./garbage-scenarios.ts";
import { type Move, VOLUME } from "./garbage-scene.ts";
import type { GarbageWorld } from "./garbage-world.ts";
import { recordMoves } from "./record-moves.ts";
import { afterChange, reportMoves } from "./report-moves.ts";
import { uploadMoves } from "./upload-moves.ts";

const [RECORD, WORLD, WIDTH] = [0, 1, 2] as const;

export const createGarbageSpace = (
  scenario: GarbageScenario,
  givenRules: GarbageRules,
): ExploredSpace => {
  const rules = { ...givenRules, decide: rememberDecisions(givenRules.decide) };
  const plain = rememberBy(normaliseRecord);
  const records = createInterner<ProjectState>(canonicalJson);
  const worlds = createInterner<GarbageWorld>(JSON.stringify);
  const labels = createInterner<string>((label) => label);
  const ends = new Set<string>();
  const next = new Uint32Array(WIDTH);
  const word = (state: Uint32Array, at: number): number => state[at] ?? 0;

  const viewOf = createViewOf(records.valueOf);
  const tokensIn = memoise(
    (record: number) => String(record),
    (record) => findTokens(JSON.stringify(records.valueOf(record))),
  );
  const freeToken = (record: number, world: GarbageWorld): string => {
    const views = world.collectors.flatMap((c) => (c.stage === "listed" ? [] : [c.view]));
    const used = new Set([
      ...findTokens(JSON.stringify(world)),
      ...[record, ...views].flatMap((id) => [...tokensIn(id)]),
    ]);
    let number = 1;
    while (used.has(`t${number}`)) number += 1;
    return `t${number}`;
  };
  const movesOf = (record: number, world: number): Move[] => {
    const scene = {
      ...scenario,
      record: records.valueOf(record),
      world: worlds.valueOf(world),
      rules,
      view: viewOf(record),
      recordOf: records.valueOf,
      token: freeToken(record, worlds.valueOf(world)),
    };
    return [
      ...uploadMoves(scene),
      ...reportMoves(scene),
      ...recordMoves(scene),
      ...collectorMoves(scene),
    ];
  };
  const noteEnds = (before: ProjectState, after: ProjectState): void => {
    for (const { result } of after.history.slice(before.history.length)) ends.add(result);
  };
  const partsOf = (state: Uint32Array) => ({
    record: records.valueOf(word(state, RECORD)),
    world: worlds.valueOf(word(state, WORLD)),
  });
  return {
    width: WIDTH,
    start: () => Uint32Array.of(records.idOf(plain(scenario.record)), worlds.idOf(scenario.world)),
    visitNext: (state, visit) => {
      for (const move of movesOf(word(state, RECORD), word(state, WORLD))) {
        const before = partsOf(state).record;
        const record = move.record === undefined ? before : plain(move.record);
        if (move.record !== undefined) noteEnds(before, move.record);
        next[RECORD] = records.idOf(record);
        const isChanged = next[RECORD] !== state[RECORD];
        next[WORLD] = worlds.idOf(isChanged ? afterChange(move.world, record, rules) : move.world);
        visit(next, labels.idOf(move.label), null);
      }
    },
    // What is written bears the smallest name that is free: there is nothing left to rename.
    canonical: () => {},
    check: (state) => findLost(partsOf(state)),
    goals: [
      {
        otherwise: "L3: from here what is garbage can never go",
        isReached: (state) => findLeftOver(partsOf(state)).length === 0,
      },
      {
        otherwise: "L2: from here the request can never end",
        isReached: (state) => {
          const { deploy, desired } = partsOf(state).record;
          return deploy === null && desired === null;
        },
      },
    ],
    afterwards: () => null,
    describe: (state) => {
      const { record } = partsOf(state);
      const volume = record.volumes[VOLUME];
      const points = volume?.snapshots.map(({ id }) => id).join(", ");
      return `${describeRecord(record)}; restore points ${points || "none"}`;
    },
    labelOf: labels.idOf,
    labelText: labels.valueOf,
    recordCount: records.count,
    ends: () => [...ends].sort(),
  };
};

/** There are few records among the states, and the same things happen to them again and again. */
const rememberDecisions = (decide: GarbageRules["decide"]): GarbageRules["decide"] => {
  const decisionsOf = rememberBy((_state: ProjectState) => new Map<string, Decision>());
  return (state, input) => {
    const known = decisionsOf(state);
    const key = JSON.stringify(input);
    const decision = known.get(key) ?? decide(state, input);
    known.set(key, decision);
    return decision;
  };
};

const rememberBy = <K extends object, V>(compute: (key: K) => V): ((key: K) => V) => {
  const known = new WeakMap<K, V>();
  return (key) => {
    const value = known.get(key) ?? compute(key);
    known.set(key, value);
    return value;
  };
};

const findTokens = (text: string): Set<string> =>
  new Set([...text.matchAll(/\bt\d+\b/g)].map(([token]) => token));

/** A collector remembers of a record only what it says of garbage. */
const createViewOf = (recordOf: (id: number) => ProjectState) => {
  const first = new Map<string, number>();
  return memoise(
    (record: number) => String(record),
    (record) => {
      const { volumes, deploy, endedAttempts } = recordOf(record);
      const volume = volumes[VOLUME];
      const move = deploy?.volumes[VOLUME];
      const key = canonicalJson([volume, move ?? null, deploy?.phase.name ?? null, endedAttempts]);
      const known = first.get(key) ?? record;
      first.set(key, known);
      return known;
    },
  );
};

/** Restore points by their order alone, and nothing of what was tried. */
const normaliseRecord = (state: ProjectState): ProjectState => {
  const { volumes, ...rest } = normalise(state);
  const ranked = Object.entries(volumes).map(([name, volume]) => {
    const points = state.volumes[name as keyof typeof volumes]?.snapshots ?? [];
    const order = [...points].sort((a, b) => a.takenAtMs - b.takenAtMs).map(({ id }) => id);
    const rank = <S extends { readonly id: (typeof order)[number]; readonly takenAtMs: number }>(
      snapshot: S,
    ): S => ({ ...snapshot, takenAtMs: order.indexOf(snapshot.id) + 1 });
    const head = volume.head === null ? null : rank(volume.head);
    return [name, { ...volume, tries: [], head, snapshots: volume.snapshots.map(rank) }];
  });
  return { ...rest, volumes: Object.fromEntries(ranked) };
};
