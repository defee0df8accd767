/**
 * The steps that a deploy waits for, effect by effect: each may be the last one before the agent dies
 * or stands still for a day. As functions/ does them; whether one may begin is the record's word at
 * that moment, and what it does goes by that record.
 */
import { stepKind } from "../../workflows/deploy/steps.ts";
import type { Epoch } from "../../workflows/ids.ts";
import { isLockedOut } from "./locks.ts";
import { asNode, sessionOf } from "./materialise.ts";
import type { NodeScene } from "./node-moves.ts";
import { advanceHydrate } from "./step-hydrate.ts";
import { finish, isStart, originIn, type StepScene, withTasks } from "./step-scene.ts";
import { advanceSeal } from "./step-seal.ts";
import { advanceStart } from "./step-start.ts";
import { advanceUnstart } from "./step-unstart.ts";
import type { Content, Outcome, TaskWorld } from "./world.ts";

export const stepMoves = (scene: NodeScene): Outcome[] => {
  if (!scene.node.isOn) return [];
  const going = scene.node.tasks.flatMap((task) => {
    if (isLockedOut(scene.node, task)) return [];
    const view = scene.recordOf(task.view);
    return view.deploy === null
      ? []
      : advance({ ...scene, task, stage: task.stage, view, deploy: view.deploy });
  });
  return [...beginMoves(scene), ...going];
};

/** A message may come at any time, again and again; it begins what the record waits for now. */
const beginMoves = (scene: NodeScene): Outcome[] => {
  const { node, name, record, taskView, store, rules } = scene;
  if (node.tasks.length >= scene.tasksMax) return [];
  return rules.assignNode(record, asNode(name)).steps.flatMap(({ deployId, step }) => {
    if (store.reports.some((report) => report.step === step && report.node === name)) return [];
    const isWaiting = node.tasks.some(
      (task) => task.deployId === deployId && task.step === step && task.stage === 0,
    );
    if (isWaiting) return [];
    const heldSince = scene.hasLeases && isStart({ step }) ? (sessionOf(node) ?? 0) : undefined;
    const begun = { deployId, step, view: taskView, stage: 0, taken: {} };
    const task: TaskWorld = heldSince === undefined ? begun : { ...begun, heldSince };
    return [{ label: `begins ${step}`, node: withTasks(node, [...node.tasks, task]) }];
  });
};

const advance = (scene: StepScene): Outcome[] => {
  switch (stepKind(scene.task.step)) {
    case "copy":
      return takeCopy(scene);
    case "prepare":
    case "hydrate":
      return advanceHydrate(scene);
    case "seal":
      return advanceSeal(scene);
    case "unstart":
      return advanceUnstart(scene);
    case "start":
    case "return":
      return advanceStart(scene);
    default:
      return [];
  }
};

/** A live snapshot of each volume that the node owns: by the time it is used it is behind. */
const takeCopy = (scene: StepScene): Outcome[] => {
  const { node, deploy, view, name, rules } = scene;
  const taken: Record<string, Content> = {};
  for (const [volume, move] of Object.entries(deploy.volumes)) {
    if (move.from?.node !== name) continue;
    const own = rules.findOwnCopy(
      node.copies
        .filter((copy) => copy.volume === volume)
        .map((copy) => ({ ...copy, epoch: copy.epoch as Epoch })),
      { epoch: move.from.epoch, origin: originIn(view, volume) },
    );
    if (own === undefined) return [finish(scene, { isFailure: true })];
    taken[volume] = "behind";
  }
  return [finish(scene, { taken })];
};
