/**
 * What must be there, told from the record without asking the rule that is explored: whoever forgets a
 * root forgets it here no less than there, if both are one.
 */
import { contentOf } from "../../../workflows/deploy/steps.ts";
import type { ProjectState } from "../../../workflows/record.ts";
import { VOLUME } from "./garbage-scene.ts";
import { documentName, findDocument, type GarbageWorld, keyOf } from "./garbage-world.ts";

export interface GarbageView {
  readonly record: ProjectState;
  readonly world: GarbageWorld;
}

/** Why a snapshot must be whole; the first reason found. */
const findNeeded = ({ record, world }: GarbageView): Map<string, string> => {
  const needed = new Map<string, string>();
  const need = (why: string, id: string | null | undefined): void => {
    if (id !== null && id !== undefined && !needed.has(id)) needed.set(id, why);
  };
  const volume = record.volumes[VOLUME];
  need("the head", volume?.head?.id);
  for (const { id } of volume?.snapshots ?? []) need("the restore point", id);
  for (const { snapshotId } of volume?.pins ?? []) need("the pinned snapshot", snapshotId);
  for (const id of world.clones) need("what a clone began as,", id);
  const { deploy } = record;
  const move = deploy?.volumes[VOLUME];
  if (deploy === null || move === undefined) return needed;
  for (const { snapshotId } of move.copies) need("what the deploy copied,", snapshotId);
  need("what the deploy sealed,", move.sealed?.id);
  need("what the deploy goes back to,", move.restore);
  const isStarting = deploy.phase.name === "sealed" || deploy.phase.name === "starting";
  if (isStarting) need("what the volume starts from,", contentOf(move, volume));
  return needed;
};

/** I8: nothing reachable is ever deleted. */
export const findLost = (view: GarbageView): string | null => {
  const { world } = view;
  for (const [id, why] of findNeeded(view)) {
    const document = findDocument(world, id);
    if (document === undefined) return `I8: ${why} ${id} is gone`;
    const lost = document.objects.find((object) => !world.objects.includes(object));
    if (lost !== undefined) return `I8: ${why} ${id} lacks ${keyOf(lost)}`;
  }
  return null;
};

/** Names of what nobody needs, nor is about to: but for the number that the next snapshot has too. */
export const findLeftOver = (view: GarbageView): string[] => {
  const { world, record } = view;
  const needed = [...findNeeded(view).keys()];
  const underWay = [
    ...world.uploads.map(({ document }) => document),
    ...world.reports.flatMap(({ snapshotId }) => findDocument(world, snapshotId) ?? []),
  ];
  const kept = [...needed.flatMap((id) => findDocument(world, id) ?? []), ...underWay];
  const keys = new Set([
    ...kept.flatMap(({ id, objects }) => [documentName(id), ...objects.map(keyOf)]),
  ]);
  const volume = record.volumes[VOLUME];
  const isOpen = (attempt: string): boolean =>
    new RegExp(`live-${volume?.sequence}(\\.|$)`).test(attempt);
  return [
    ...world.objects.map(keyOf).filter((key) => !isOpen(key.split("/")[1] ?? "")),
    ...world.documents
      .filter(({ writer }) => !isOpen(writer.attempt))
      .map(({ id }) => documentName(id)),
  ].filter((key) => !keys.has(key));
};

export const GARBAGE_INVARIANTS = {
  lost: { says: "I8: nothing that is needed is ever deleted" },
  leftOver: { says: "L3: from everywhere all garbage can go" },
} as const;
