/**
 * Breadth first through everything that can happen to one volume on two nodes, over the real rules:
 * what must hold, holds in every state; and each way of breaking the protocol is found out.
 */
import { expect, test } from "vitest";
import {
  begin,
  DATA,
  projectOf,
  running,
  spec,
  WEB,
  X,
  Y,
} from "../workflows/deploy/given-deploys.ts";
import type { Mutation, World } from "./explore/world.ts";
import { movesOf } from "./explore/world-moves.ts";

const STATES_MAX = 60_000;

/** Version 1 serves on x; a push that moves it to y has just been planned. */
const beginning = (troubles: number): World => {
  const served = {
    fence: 1,
    copies: { "live-1": 0 },
    running: 1,
    queued: null,
    gate: 1,
    view: running,
  };
  const empty = { fence: 0, copies: {}, running: null, queued: null, gate: null, view: null };
  return {
    state: begin(running, "second", "b", projectOf({ [WEB]: spec("two", Y) })),
    nodes: { [X]: served, [Y]: empty },
    snapshots: {},
    reports: {},
    writes: 0,
    acked: 0,
    troubles,
  };
};

const has = (bits: number | undefined, all: number): boolean => ((bits ?? 0) & all) === all;

/** The invariant that the world breaks, or null. */
const findBreach = ({ state, nodes, snapshots, acked }: World): string | null => {
  const all = Object.values(nodes);
  if (all.filter((n) => n.gate !== null && n.running !== null).length > 1)
    return "I1: two open gates";
  if (all.filter((n) => n.running !== null).length > 1) return "I1: two writers";
  const volume = state.volumes[DATA];
  const phase = state.deploy?.phase.name;
  const isSealed =
    phase === "sealed" || phase === "starting" || phase === "unstarting" || phase === "returning";
  if (isSealed && !has(snapshots[volume?.head?.id ?? ""], acked))
    return "I3: the head misses a write";
  if (state.deploy === null && volume !== undefined && volume.owner !== null) {
    const copies = nodes[volume.owner]?.copies ?? {};
    const { origin, epoch } = volume;
    const before =
      origin.kind === "local" ? [`live-${origin.epoch}`, `sealed-${origin.epoch}`] : [];
    const own = [`live-${epoch}`, ...before].find((name) => copies[name] !== undefined);
    if (!has(copies[own ?? ""], acked)) return "I4: the owner misses a write";
  }
  return null;
};

const FORGOTTEN = new Set(["history", "timeline", "outcomes"]);

/** Ended deploys and times tell nothing that the rules act on. */
const keyOf = (world: World): string =>
  JSON.stringify(world, (key, value) => (FORGOTTEN.has(key) ? undefined : value));

interface Explored {
  readonly states: number;
  readonly ends: ReadonlySet<string>;
  /** The shortest way to the first breach. */
  readonly story: readonly string[] | null;
}

const explore = (troubles: number, mutation: Mutation): Explored => {
  const first = beginning(troubles);
  const seen = new Map<string, { from: string | null; name: string }>([
    [keyOf(first), { from: null, name: "start" }],
  ]);
  const ends = new Set<string>();
  let front: World[] = [first];
  while (front.length > 0 && seen.size < STATES_MAX) {
    const next: World[] = [];
    for (const world of front) {
      const from = keyOf(world);
      const breach = findBreach(world);
      if (breach !== null)
        return { states: seen.size, ends, story: [...storyOf(seen, from), breach] };
      if (world.state.deploy === null) ends.add(world.state.history.at(-1)?.result ?? "");
      for (const move of movesOf(world, mutation)) {
        const key = keyOf(move.world);
        if (seen.has(key)) continue;
        seen.set(key, { from, name: move.name });
        next.push(move.world);
      }
    }
    front = next;
  }
  return { states: seen.size, ends, story: null };
};

const storyOf = (
  seen: ReadonlyMap<string, { from: string | null; name: string }>,
  key: string,
): string[] => {
  const story: string[] = [];
  for (let at: string | null = key; at !== null; at = seen.get(at)?.from ?? null) {
    story.unshift(seen.get(at)?.name ?? "");
  }
  return story;
};

test("I1, I3, I4 hold in every state; deploys end deployed, rolled back, aborted and failed", () => {
  const { story, states, ends } = explore(2, {});
  expect(story).toBeNull();
  // Pinned: another number means that other things can happen than before.
  expect(states).toBe(27_756);
  expect([...ends].sort()).toEqual(["aborted", "deployed", "failed", "rolled-back"]);
});

const broken: readonly (readonly [string, Mutation])[] = [
  ["a gate that opens before the commit", { openGateEarly: true }],
  ["a hand-off without a stop", { sealWithoutStop: true }],
  ["a stop without fence and rename", { ignoreFence: true, keepDirectory: true }],
];

test.each(broken)("%s is found out", (_name, mutation) => {
  expect(explore(1, mutation).story).not.toBeNull();
});
