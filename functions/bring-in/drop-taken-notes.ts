/** Lets go of the notes of what was taken from a project's inbox, once nothing can ask for them. */
import { takenPrefix } from "../../adapters/store-keys.ts";
import type { ObjectStore } from "../../volume/object-store.ts";
import { Epoch, type VolumeName } from "../../workflows/ids.ts";
import { keysOf } from "../../workflows/keys-of.ts";
import type { ProjectState } from "../../workflows/record.ts";

/** The data of a lost node may come to light as a branch of an epoch that nobody knew of. */
const TAKEN_NOTES_KEPT = 20;

/**
 * What went from the inbox into the data of an epoch: only data that a restore point or the running
 * version stands on can make somebody ask for it.
 */
export const dropTakenNotes = async (
  { store }: { readonly store: ObjectStore },
  state: ProjectState,
  signal: AbortSignal,
): Promise<void> => {
  const keys: string[] = [];
  for (const name of keysOf(state.volumes)) {
    const kept = findEpochs(state, name);
    const prefix = takenPrefix(state.project, name);
    const notes: { readonly key: string; readonly epoch: Epoch }[] = [];
    for await (const { key } of store.list(prefix, signal)) {
      const epoch = Epoch.safeParse(Number(/^e(\d+)\.json$/.exec(key.slice(prefix.length))?.[1]));
      if (epoch.success) notes.push({ key, epoch: epoch.data });
    }
    const old = notes.sort((a, b) => b.epoch - a.epoch).slice(TAKEN_NOTES_KEPT);
    keys.push(...old.filter(({ epoch }) => !kept(epoch)).map(({ key }) => key));
  }
  if (keys.length > 0) await store.delete(keys, signal);
};

/** Tells the epochs that data of the volume may begin from. */
const findEpochs = (state: ProjectState, name: VolumeName): ((epoch: Epoch) => boolean) => {
  const volume = state.volumes[name];
  const move = state.deploy?.volumes[name];
  const { origin } = volume ?? {};
  const snapshots = [...(volume?.snapshots ?? []), volume?.head, move?.sealed];
  const known = new Set([
    ...snapshots.flatMap((snapshot) => snapshot?.epoch ?? []),
    ...(origin?.kind === "local" ? [origin.epoch] : []),
    ...(move?.from == null ? [] : [move.from.epoch]),
    ...(volume?.branches ?? []).map(({ epoch }) => epoch),
  ]);
  return (epoch) => epoch >= (volume?.epoch ?? 0) || known.has(epoch);
};
