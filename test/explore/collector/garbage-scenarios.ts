/** The situations in which collectors are explored. */
import {
  begin,
  DATA,
  projectOf,
  running,
  spec,
  WEB,
  X,
  Y,
} from "../../../workflows/deploy/given-deploys.ts";
import { Epoch, SnapshotId } from "../../../workflows/ids.ts";
import type { ProjectState, SnapshotRef } from "../../../workflows/record.ts";
import { REAL_GARBAGE_RULES } from "./garbage-rules.ts";
import type { Document, GarbageWorld } from "./garbage-world.ts";
import type { GarbagePush } from "./record-moves.ts";
import { uploadMoves } from "./upload-moves.ts";

export interface GarbageScenario {
  readonly name: string;
  readonly says: string;
  readonly record: ProjectState;
  readonly world: GarbageWorld;
  readonly pushes: readonly GarbagePush[];
  readonly canLose: boolean;
  readonly uploadsMax: number;
  readonly collectorsMax: number;
}

type Beginning = Pick<GarbageScenario, "record" | "world">;

/** The restore points that the volume has, oldest first: each goes on with all of the one before. */
const beginWith = (ids: readonly string[], last: number): Beginning => {
  const documents: Document[] = [];
  for (const [index, id] of ids.entries()) {
    const writer = { epoch: 1, attempt: `${id}.t${index + 1}` };
    const own = `e1/${writer.attempt}/p-0#t${index + 1}`;
    const parent = documents.at(-1);
    documents.push({
      id: `${id}-t${index + 1}`,
      parent: parent?.id ?? null,
      objects: [...(parent?.objects ?? []), own].sort(),
      writer,
    });
  }
  const snapshots = documents.map(
    ({ id }, index): SnapshotRef => ({
      ...{ id: SnapshotId.parse(id), epoch: Epoch.parse(1), takenAtMs: index + 1, digest: "" },
      ...{ files: 0, bytes: 0, storedBytes: 0, kind: "live", stopped: "running", deployId: null },
    }),
  );
  const volume = running.volumes[DATA];
  if (volume === undefined) throw new Error("there is no volume");
  const keep = { last, hourly: 0, daily: 0, weekly: 0, monthly: 0 };
  const settings = { ...volume.settings, keep };
  const began = { ...volume, settings, head: snapshots.at(-1) ?? null, snapshots };
  const record = { ...running, volumes: { [DATA]: { ...began, sequence: ids.length } } };
  const world: GarbageWorld = {
    objects: documents.flatMap(({ objects }) => objects.slice(-1)).sort(),
    documents,
    ...{ uploads: [], reports: [], collectors: [], clones: [] },
    left: { pushes: 0, lives: 0, troubles: 0, clones: 0 },
  };
  return { record, world };
};

const to = (id: string, letter: string, image: string, node: typeof X, last: number) => {
  const keep = { last, hourly: 0, daily: 0, weekly: 0, monthly: 0 };
  const project = projectOf({ [WEB]: spec(image, node) });
  const volumes = { [DATA]: { onNodeLoss: "wait" as const, keep } };
  return { id, letter, spec: { ...project, volumes }, isRestore: false };
};

const scenario = (
  name: string,
  says: string,
  from: Beginning,
  left: Partial<GarbageWorld["left"]>,
  more: Partial<GarbageScenario> = {},
): GarbageScenario => ({
  ...{ name, says, record: from.record, pushes: [], canLose: false },
  ...{ uploadsMax: 2, collectorsMax: 2 },
  ...more,
  world: {
    ...from.world,
    left: { ...from.world.left, pushes: more.pushes?.length ?? 0, ...left },
  },
});

const ONE = beginWith(["live-0"], 1);
/** The older one was let go of, and nobody has collected it. */
const LEFT = ((): Beginning => {
  const begun = beginWith(["live-0", "live-1"], 1);
  const volume = begun.record.volumes[DATA];
  if (volume === undefined) throw new Error("there is no volume");
  const volumes = { [DATA]: { ...volume, snapshots: volume.snapshots.slice(-1) } };
  return { ...begun, record: { ...begun.record, volumes } };
})();
const TWO = beginWith(["live-0", "live-1"], 2);

const SECOND = to("second", "b", "two", Y, 1);

/** The first copy of a deploy has begun, on the restore point that there is. */
const COPYING = ((): Beginning => {
  const record = begin(ONE.record, "second", "b", SECOND.spec);
  const scene = { record, world: ONE.world, rules: REAL_GARBAGE_RULES, uploadsMax: 1, token: "t2" };
  const [, onTop] = uploadMoves(scene);
  if (onTop === undefined) throw new Error("no copy begins on top of a restore point");
  return { record, world: onTop.world };
})();

export const GARBAGE_SCENARIOS: readonly GarbageScenario[] = [
  scenario(
    "collect-one",
    "snapshots one after the other, of which one is kept, and one of which may be given up; a collector",
    LEFT,
    { lives: 2, troubles: 1 },
    { uploadsMax: 1, collectorsMax: 1 },
  ),
  scenario(
    "collect-slow",
    "snapshots of which one may stand still while others are taken up; two collectors",
    ONE,
    { lives: 2 },
  ),
  scenario(
    "collect-copy",
    "a push is moving the volume, all goes well, and a snapshot is taken beside; a collector",
    COPYING,
    { lives: 1 },
    { collectorsMax: 1 },
  ),
  scenario(
    "collect-deploy",
    "a push moves the volume, and a snapshot is taken beside; a collector",
    ONE,
    { lives: 1, troubles: 1 },
    { pushes: [SECOND], collectorsMax: 1 },
  ),
  scenario(
    "collect-restore",
    "a push goes back to the older of two restore points, of which two are kept; a collector",
    TWO,
    { lives: 1, troubles: 1 },
    { pushes: [{ ...to("second", "b", "two", Y, 2), isRestore: true }], collectorsMax: 1 },
  ),
  scenario(
    "collect-clone",
    "a clone begins as a restore point, while snapshots are taken; two collectors",
    ONE,
    { lives: 2, clones: 1 },
  ),
  scenario(
    "collect-pushes",
    "two pushes, of which the second may overtake the first; the node may be given up; a collector",
    ONE,
    { lives: 0, troubles: 1 },
    {
      pushes: [SECOND, to("third", "c", "three", X, 1)],
      canLose: true,
      collectorsMax: 1,
      uploadsMax: 1,
    },
  ),
];
