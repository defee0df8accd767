/** `seal-e…`: the old containers stop, and the final snapshot is taken; in the order of the rules. */
import type { Epoch } from "../../workflows/ids.ts";
import type { SealEffect } from "./rules.ts";
import { fenceByView, finish, giveUp, originIn, proceed, type StepScene } from "./step-scene.ts";
import {
  type Content,
  changeCopy,
  findCopy,
  type NodeWorld,
  nameOf,
  type Outcome,
  snapshotName,
} from "./world.ts";

export const advanceSeal = (scene: StepScene): Outcome[] => {
  const { rules, task, stage, node } = scene;
  const effect = rules.sealOrder[stage];
  switch (effect) {
    case "fence":
    case "close":
    case "stop": {
      const changed = closing[effect](scene);
      // An effect that has nothing to do is no place to die at.
      if (changed === node) return advanceSeal({ ...scene, stage: stage + 1 });
      return [{ label: `seal: ${LABELS[effect]}`, node: proceed(scene, changed) }];
    }
    case "rename":
      return rename(scene);
    case "snapshot":
      return snapshot(scene);
    case "report":
      return [
        finish(scene, { taken: task.taken }),
        finish(scene, { taken: task.taken, isWhole: false, isTrouble: true }),
      ];
    default:
      return [];
  }
};

export const LABELS = {
  fence: "writes its fence",
  close: "closes the gates",
  stop: "stops the containers",
} as const;

const sources = ({ deploy, name }: StepScene) =>
  Object.entries(deploy.volumes).flatMap(([volume, { from }]) =>
    from?.node === name ? [{ volume, epoch: from.epoch }] : [],
  );

/** Each gives back the very node where there is nothing to do. */
export const closing: Readonly<
  Record<Extract<SealEffect, "fence" | "close" | "stop">, (scene: StepScene) => NodeWorld>
> = {
  fence: fenceByView,
  close: ({ node, deploy }) => {
    const gates = node.gates.filter(({ container }) => !(container in deploy.containers));
    return gates.length === node.gates.length ? node : { ...node, gates };
  },
  stop: ({ node, deploy }) => {
    const running = node.running.filter(({ container }) => !(container in deploy.containers));
    return running.length === node.running.length ? node : { ...node, running };
  },
};

/** Away from where a container would mount it: one volume, one effect. */
const rename = (scene: StepScene): Outcome[] => {
  const { node, rules, view } = scene;
  const left = sources(scene).filter(
    ({ volume, epoch }) => findCopy(node, nameOf({ volume, role: "sealed", epoch })) === undefined,
  );
  const [first] = left;
  if (first === undefined) return [{ label: "seal: finds all renamed", node: proceed(scene) }];
  const { volume, epoch } = first;
  const own = rules.findOwnCopy(
    node.copies
      .filter((copy) => copy.volume === volume)
      .map((copy) => ({ ...copy, epoch: copy.epoch as Epoch, copy })),
    { epoch, origin: originIn(view, volume) },
  )?.copy;
  if (own === undefined) return [finish(scene, { isFailure: true, why: `no data of ${volume}` })];
  const sealed = changeCopy(node, own, { ...own, role: "sealed", epoch });
  if (sealed === null) return [];
  const label = `seal: renames ${nameOf(own)} to ${nameOf({ volume, role: "sealed", epoch })}`;
  return [{ label, node: left.length === 1 ? proceed(scene, sealed) : sealed }];
};

const snapshot = (scene: StepScene): Outcome[] => {
  const { node, task, stage, rules } = scene;
  const isAfter = (effect: SealEffect) => {
    const at = rules.sealOrder.indexOf(effect);
    return at !== -1 && at < stage;
  };
  const taken: Record<string, Content> = {};
  let marked = node;
  for (const { volume, epoch } of sources(scene)) {
    const role = isAfter("rename") ? ("sealed" as const) : ("live" as const);
    const name = nameOf({ volume, role, epoch });
    const copy = findCopy(node, name);
    if (copy === undefined) {
      return [{ label: `seal: ${name} is gone, so it ends`, node: giveUp(scene, node) }];
    }
    const isUsed = node.running.some(({ mounts }) => mounts.includes(name));
    if (isUsed && isAfter("stop")) {
      return [finish(scene, { isFailure: true, why: `${name} is still in use` })];
    }
    taken[volume] = copy.content;
    const marker = snapshotName(task.deployId, task.step, volume);
    if (role === "sealed") marked = changeCopy(marked, copy, { ...copy, marker }) ?? marked;
  }
  return [
    { label: "seal: takes the final snapshot", node: proceed(scene, marked, { taken }) },
    { ...finish(scene, { isFailure: true, why: "the store is full" }), isTrouble: true },
  ];
};
