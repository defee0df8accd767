/** `unstart-e…`: what a deploy started stops, and its data stay aside. */
import { forgetBranches } from "./materialise.ts";
import { finish, giveUp, proceed, type StepScene } from "./step-scene.ts";
import { closing, LABELS } from "./step-seal.ts";
import { changeCopy, findCopy, nameOf, type Outcome } from "./world.ts";

const ORDER = ["fence", "close", "stop", "branch", "report"] as const;

export const advanceUnstart = (scene: StepScene): Outcome[] => {
  const { stage, node } = scene;
  const effect = ORDER[stage];
  switch (effect) {
    case "fence":
    case "close":
    case "stop": {
      const changed = closing[effect](scene);
      if (changed === node) return advanceUnstart({ ...scene, stage: stage + 1 });
      return [{ label: `unstart: ${LABELS[effect]}`, node: proceed(scene, changed) }];
    }
    case "branch":
      return branch(scene);
    case "report":
      return [finish(scene, {})];
    default:
      return [];
  }
};

const branch = (scene: StepScene): Outcome[] => {
  const { node, deploy, view, name } = scene;
  let next = node;
  for (const [volume, { to }] of Object.entries(deploy.volumes)) {
    if (to !== name) continue;
    const epoch = view.volumes[volume as keyof typeof view.volumes]?.epoch;
    const live = epoch === undefined ? undefined : findCopy(next, `${volume} live-e${epoch}`);
    if (live === undefined) continue;
    const kept = changeCopy(next, live, { ...live, role: "branch" });
    if (kept === null) continue;
    if (kept.running.some(({ mounts }) => mounts.includes(nameOf({ ...live, role: "branch" })))) {
      return [
        { label: `unstart: ${nameOf(live)} is in use, and it ends`, node: giveUp(scene, node) },
      ];
    }
    next = kept;
  }
  return [{ label: "unstart: keeps the data aside", node: proceed(scene, forgetBranches(next)) }];
};
