/** What happens to the record beside snapshots: pushes, steps that go well or badly, deadlines, clones. */
import type { ProjectSpec } from "../../../workflows/container-spec.ts";
import { NOW, request, resolved } from "../../../workflows/deploy/given-deploys.ts";
import type { Input } from "../../../workflows/deploy/messages.ts";
import { stepKind } from "../../../workflows/deploy/steps.ts";
import { ProjectId, SnapshotId } from "../../../workflows/ids.ts";
import type { ProjectState } from "../../../workflows/record.ts";
import { LATE } from "../control-moves.ts";
import { type GarbageScene, type Move, VOLUME } from "./garbage-scene.ts";
import { type GarbageWorld, spend } from "./garbage-world.ts";
import { plainReport } from "./report-moves.ts";

export interface GarbagePush {
  readonly id: string;
  readonly letter: string;
  readonly spec: ProjectSpec;
  /** Starts from the oldest restore point. */
  readonly isRestore: boolean;
}

export interface RecordScene extends GarbageScene {
  readonly pushes: readonly GarbagePush[];
  readonly canLose: boolean;
}

export const recordMoves = (scene: RecordScene): Move[] => [
  ...stepEnds(scene),
  ...pushMoves(scene),
  ...troubles(scene),
  ...cloneMoves(scene),
];

const decided = (
  { record, rules }: GarbageScene,
  label: string,
  world: GarbageWorld,
  inputs: readonly (Input | null)[],
): Move[] => {
  let state = record;
  for (const input of inputs) {
    if (input === null) return [];
    const decision = rules.decide(state, input);
    if (decision.kind === "changed") state = decision.state;
  }
  return state === record ? [] : [{ label, world, record: state }];
};

/** Steps that write nothing to the store. */
const stepEnds = (scene: RecordScene): Move[] => {
  const { record, world } = scene;
  const steps = [...new Set(record.deploy?.phase.awaits.map(({ step }) => step))];
  return steps.flatMap((step) => {
    const plain = plainReport(record, step);
    const kind = stepKind(step);
    if (plain === null) return [];
    const isSnapshot = kind === "copy" || kind === "seal";
    const failure = { code: "failed", message: "it failed" };
    const failed = { ...plain, report: { ...plain.report, failure, volumes: {} } };
    return [
      ...(isSnapshot ? [] : decided(scene, `${step} is reported`, world, [plain])),
      ...(world.left.troubles === 0
        ? []
        : decided(scene, `${step} is reported as failed`, spend(world, "troubles"), [failed])),
    ];
  });
};

/** Planned as it comes, or once the running deploy has ended. */
const pushMoves = (scene: RecordScene): Move[] => {
  const { record, world, pushes } = scene;
  const push = pushes[pushes.length - world.left.pushes];
  const planned = pushes.find(({ id }) => id === record.desired?.requestId);
  const moves: Move[] = [];
  if (planned !== undefined) {
    const plan = resolved(planned.id, planned.letter, planned.spec);
    moves.push(...decided(scene, `the control plans ${planned.id}`, world, [plan]));
  }
  if (push === undefined) return moves;
  const plan = resolved(push.id, push.letter, push.spec);
  const inputs = [requestOf(push, record), plan];
  moves.push(...decided(scene, `push ${push.id} arrives`, spend(world, "pushes"), inputs));
  return moves;
};

const requestOf = ({ id, isRestore }: GarbagePush, record: ProjectState): Input | null => {
  if (!isRestore) return request(id);
  const oldest = record.volumes[VOLUME]?.snapshots[0];
  if (oldest === undefined) return null;
  return request(id, { restore: { [VOLUME]: oldest.id }, acceptLoss: true, force: true });
};

const troubles = (scene: RecordScene): Move[] => {
  const { record, world, canLose } = scene;
  if (world.left.troubles === 0) return [];
  const spent = spend(world, "troubles");
  const owner = record.volumes[VOLUME]?.owner ?? null;
  const lost: Input | null = owner === null ? null : { type: "node.lost", node: owner, nowMs: NOW };
  return [
    ...decided(scene, "the deadline passes", spent, [{ type: "time.passed", nowMs: LATE }]),
    ...(canLose ? decided(scene, `${owner} is given up for lost`, spent, [lost]) : []),
  ];
};

const BY = { project: ProjectId.parse("other"), volume: VOLUME };

/** A clone pins a restore point, begins as it, and in the end needs nothing of it and lets it go. */
const cloneMoves = (scene: RecordScene): Move[] => {
  const { record, world, rules } = scene;
  const volume = record.volumes[VOLUME];
  if (volume === undefined) return [];
  const moves: Move[] = [];
  const pins = volume.pins.map(({ snapshotId }) => snapshotId);
  const places = rules.clonePins ? pins : volume.snapshots.map(({ id }) => id);
  if (world.left.clones > 0) {
    for (const id of places.filter((one) => !world.clones.includes(one))) {
      const clones = [...world.clones, id].sort();
      const begun = { ...spend(world, "clones"), clones };
      moves.push({ label: `a clone begins as ${id}`, world: begun });
    }
    for (const { id } of rules.clonePins && pins.length === 0 ? volume.snapshots : []) {
      const pin = { snapshotId: SnapshotId.parse(id), by: BY };
      const input: Input = { type: "snapshot.pinned", volume: VOLUME, pin };
      moves.push(...decided(scene, `a clone pins ${id}`, world, [input]));
    }
  }
  for (const id of world.clones) {
    const clones = world.clones.filter((one) => one !== id);
    moves.push({ label: `the clone needs nothing of ${id} any more`, world: { ...world, clones } });
  }
  if (pins.length > 0 && world.clones.length === 0 && world.left.clones === 0) {
    const input: Input = { type: "snapshot.unpinned", volume: VOLUME, by: BY };
    moves.push(...decided(scene, "the clone lets its source go", world, [input]));
  }
  return moves;
};
