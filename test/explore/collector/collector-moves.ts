/**
 * Collectors, two at once: each reads the record, reads what the roots need, lists, and deletes one
 * object after the other; and stands still, or dies, between any two of these. A list that is older than
 * the moment at which it is used is one whose reader stood still.
 */
import { parseObjectName } from "../../../volume/keys.ts";
import type { ProjectState } from "../../../workflows/record.ts";
import { type GarbageScene, type Move, VOLUME } from "./garbage-scene.ts";
import {
  type Collector,
  documentName,
  findDocument,
  type GarbageWorld,
  keyOf,
} from "./garbage-world.ts";

export interface CollectorScene extends GarbageScene {
  readonly collectorsMax: number;
  /** By which a collector remembers the record as it is now. */
  readonly view: number;
  readonly recordOf: (view: number) => ProjectState;
}

export const collectorMoves = (scene: CollectorScene): Move[] => {
  const { world, collectorsMax, view } = scene;
  const moves = world.collectors.flatMap((collector) => {
    const rest = world.collectors.filter((other) => other !== collector);
    const death = { label: "a collector dies", world: withCollectors(world, rest) };
    return [goOn(scene, collector, rest), death];
  });
  if (world.collectors.length >= collectorsMax) return moves;
  const begun = withCollectors(world, [...world.collectors, { stage: "read", view }]);
  return [...moves, { label: "a collector reads the record", world: begun }];
};

const goOn = (scene: CollectorScene, collector: Collector, rest: readonly Collector[]): Move => {
  const { world } = scene;
  const as = (next: Collector, changed = world) => withCollectors(changed, [...rest, next]);
  switch (collector.stage) {
    case "read": {
      const needed = mark(scene, collector.view);
      return needed === null
        ? { label: "a collector misses a root, and ends", world: withCollectors(world, rest) }
        : { label: "a collector marks", world: as({ ...collector, stage: "marked", needed }) };
    }
    case "marked": {
      const victims = list(scene, collector.view, collector.needed);
      if (victims.length === 0) {
        return {
          label: "a collector lists no garbage, and ends",
          world: withCollectors(world, rest),
        };
      }
      const label = `a collector lists ${victims.join(", ")}`;
      return { label, world: as({ stage: "listed", victims }) };
    }
    case "listed": {
      const [first = "", ...victims] = collector.victims;
      const changed = remove(world, first);
      const label = `a collector deletes ${first}`;
      if (victims.length === 0) return { label, world: withCollectors(changed, rest) };
      return { label, world: as({ stage: "listed", victims }, changed) };
    }
  }
};

/** Null where a root is missing: what it needed can't be told from garbage any more. */
const mark = ({ world, rules, recordOf }: CollectorScene, view: number): string[] | null => {
  const roots = rules.garbageRule(recordOf(view), VOLUME)?.roots ?? [];
  const documents = roots.map((id) => findDocument(world, id));
  if (documents.includes(undefined)) return null;
  const needed = documents.flatMap((document) => document?.objects.map(keyOf) ?? []);
  return [...new Set([...needed, ...roots.map(documentName)])].sort();
};

/** By the real rules, of all that is there now. */
const list = (
  { world, rules, recordOf }: CollectorScene,
  view: number,
  needed: readonly string[],
): string[] => {
  const rule = rules.garbageRule(recordOf(view), VOLUME);
  if (rule === null) return [];
  const found = [
    ...world.objects.map(keyOf).map((key) => ({ key, writer: parseObjectName(key) })),
    ...world.documents.map(({ id, writer }) => ({ key: documentName(id), writer })),
  ];
  return found.flatMap(({ key, writer }) =>
    rules.isGarbage({ isReachable: needed.includes(key), writer }, rule) ? [key] : [],
  );
};

const remove = (world: GarbageWorld, key: string): GarbageWorld => ({
  ...world,
  objects: world.objects.filter((object) => keyOf(object) !== key),
  documents: world.documents.filter(({ id }) => documentName(id) !== key),
});

export const withCollectors = (
  world: GarbageWorld,
  collectors: readonly Collector[],
): GarbageWorld => ({
  ...world,
  collectors:
    collectors.length < 2
      ? collectors
      : [...collectors].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
});
