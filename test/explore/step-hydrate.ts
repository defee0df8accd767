/** `prepare-…` and `hydrate-e…`: the staging copy is brought to a snapshot, in place. */
import type { Deploy, ProjectState } from "../../workflows/record.ts";
import { contentIn, isGivenUpCopy } from "./materialise.ts";
import { contentInView, finish, proceed, type StepScene } from "./step-scene.ts";
import {
  type CopyWorld,
  changeCopy,
  findCopy,
  type NodeWorld,
  nameOf,
  type Outcome,
} from "./world.ts";

export const advanceHydrate = (scene: StepScene): Outcome[] =>
  scene.stage === 0 ? [beginStaging(scene)] : [endStaging(scene)];

/** Of each volume that comes to this node: what to bring, and below which epoch a copy is a cache. */
const targets = ({ deploy, view, name }: StepScene) =>
  Object.entries(deploy.volumes).flatMap(([volume, move]) => {
    if (move.to !== name) return [];
    if (move.from?.node === move.to && move.restore === null) return [];
    const snapshotId = wanted(view, deploy, volume);
    const isOwner = move.from?.node === name;
    const known = view.volumes[volume as keyof typeof view.volumes];
    const isCache = ({ epoch, marker }: CopyWorld): boolean =>
      !isOwner &&
      known !== undefined &&
      epoch < known.epoch &&
      !isGivenUpCopy({ epoch, marker }, known, name);
    return snapshotId === null ? [] : [{ volume, snapshotId, isCache }];
  });

const wanted = (view: ProjectState, deploy: Deploy, volume: string): string | null => {
  const name = volume as keyof typeof deploy.volumes;
  if (deploy.phase.name === "sealed") return contentInView(view, deploy, volume);
  const move = deploy.volumes[name];
  return move?.restore ?? move?.copies.at(-1)?.snapshotId ?? view.volumes[name]?.head?.id ?? null;
};

/** From here on the staging copy is neither what it was nor what it shall be. */
const beginStaging = (scene: StepScene): Outcome => {
  const { task } = scene;
  let node: NodeWorld = scene.node;
  let breach: string | undefined;
  const volumes = targets(scene);
  if (volumes.length === 0) return finish(scene, {});
  for (const { volume, isCache } of volumes) {
    const staging = findCopy(node, `${volume} staging`);
    const [cache] = node.copies
      .filter((copy) => copy.volume === volume && copy.role === "sealed" && copy.marker !== null)
      .filter(isCache)
      .sort((a, b) => b.epoch - a.epoch);
    const from = staging ?? cache ?? null;
    if (from?.content === "given-up") breach = `P3: ${nameOf(from)} is overwritten`;
    const blank = { volume, role: "staging" as const, epoch: 0, marker: null, taintedBy: 0 };
    node = changeCopy(node, from, { ...blank, content: "behind" }) ?? node;
  }
  return {
    label: `${task.step}: begins to change its staging copy`,
    node: proceed(scene, node),
    ...(breach !== undefined && { breach }),
  };
};

const endStaging = (scene: StepScene): Outcome => {
  const { store } = scene;
  let node: NodeWorld = scene.node;
  for (const { volume, snapshotId } of targets(scene)) {
    const staging = findCopy(node, `${volume} staging`) ?? null;
    const staged = {
      ...{ volume, role: "staging" as const, epoch: 0, taintedBy: 0 },
      ...{ content: contentIn(store, snapshotId), marker: snapshotId },
    };
    node = changeCopy(node, staging, staged) ?? node;
  }
  return finish(scene, { node });
};
