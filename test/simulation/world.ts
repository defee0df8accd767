/**
 * The simulated world's time: things happen one after the other, each at its moment, and the code
 * under test runs to rest between two of them. No real time passes and nothing happens by itself.
 */
import { type TimerHost, useTimersOf } from "./built-ins.ts";
import { createRandom, type Random } from "./random.ts";

export interface World extends TimerHost {
  readonly random: Random;
  /** Milliseconds since 1970 by the world's own clock; machines may have it wrong. */
  nowMs(): number;
  /** Notes what happened, for people who replay a seed. */
  note(text: string): void;
  readonly story: readonly string[];
  /** Something that must hold does not: the run ends. */
  breach(what: string): void;
  readonly breaches: readonly string[];
  /** Called after everything that happens. */
  watch(look: () => void): void;
  /** Lets things happen until it is done, a breach, or the given time; tells whether it is done. */
  run(isDone: () => boolean, forMs: number): Promise<boolean>;
}

interface Happening {
  readonly atMs: number;
  readonly order: number;
  run: (() => void) | null;
}

/** An arbitrary Sunday. */
const BEGIN_MS = 1_790_000_000_000;
/** More than this many things in one run mean that it turns in a circle. */
const HAPPENINGS_MAX = 2_000_000;

const realImmediate = setImmediate;
/** All promises that can go on have gone on. */
const rest = (): Promise<void> => new Promise((resolve) => realImmediate(resolve));

export const createWorld = (seed: number): World => {
  const heap = createHeap();
  const story: string[] = [];
  const breaches: string[] = [];
  const looks: (() => void)[] = [];
  let nowMs = BEGIN_MS;
  let order = 0;
  const world: World = {
    random: createRandom(seed),
    nowMs: () => nowMs,
    story,
    breaches,
    note: (text) => {
      story.push(`${((nowMs - BEGIN_MS) / 1_000).toFixed(3).padStart(9)}  ${text}`);
    },
    breach: (what) => {
      if (breaches.includes(what)) return;
      world.note(`BREACH ${what}`);
      breaches.push(what);
    },
    watch: (look) => looks.push(look),
    after: (ms, run) => {
      order += 1;
      const happening: Happening = { atMs: nowMs + Math.max(0, Math.ceil(ms)), order, run };
      heap.push(happening);
      return () => {
        happening.run = null;
      };
    },
    run: async (isDone, forMs) => {
      const endMs = nowMs + forMs;
      useTimersOf(world);
      try {
        await rest();
        for (let count = 0; count < HAPPENINGS_MAX; count += 1) {
          if (breaches.length > 0) return false;
          if (isDone()) return true;
          const next = heap.pop();
          if (next === null || next.atMs > endMs) {
            if (next !== null) heap.push(next);
            nowMs = endMs;
            return false;
          }
          if (next.run === null) continue;
          nowMs = Math.max(nowMs, next.atMs);
          next.run();
          await rest();
          for (const look of looks) look();
        }
        world.breach("L1: the world never comes to rest");
        return false;
      } finally {
        useTimersOf(null);
      }
    },
  };
  return world;
};

/** A binary heap: the earliest first, and of equal ones the one that was planned first. */
const createHeap = () => {
  const items: Happening[] = [];
  const isBefore = (a: Happening, b: Happening): boolean =>
    a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
  const at = (index: number): Happening => items[index] as Happening;
  const swap = (a: number, b: number): void => {
    const kept = at(a);
    items[a] = at(b);
    items[b] = kept;
  };
  const sink = (from: number): void => {
    for (let index = from; ; ) {
      let least = index;
      for (const child of [2 * index + 1, 2 * index + 2]) {
        if (child < items.length && isBefore(at(child), at(least))) least = child;
      }
      if (least === index) return;
      swap(index, least);
      index = least;
    }
  };
  return {
    push: (item: Happening): void => {
      items.push(item);
      for (let index = items.length - 1; index > 0; ) {
        const parent = (index - 1) >> 1;
        if (!isBefore(at(index), at(parent))) return;
        swap(index, parent);
        index = parent;
      }
    },
    pop: (): Happening | null => {
      const first = items[0];
      const last = items.pop();
      if (first === undefined || last === undefined) return null;
      if (items.length > 0) {
        items[0] = last;
        sink(0);
      }
      return first;
    },
  };
};
