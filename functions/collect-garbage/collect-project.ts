/**
 * Deletes what a project's snapshots can never need again. The record is read once, before anything
 * is listed: what becomes garbage later is left to a later run, so running deploys are never in the way.
 */
import type { ProjectRecords } from "../../adapters/project-records.ts";
import { reportPrefix, takenPrefix, volumePrefix } from "../../adapters/store-keys.ts";
import { type CollectReport, collectGarbage } from "../../volume/collect.ts";
import type { ObjectStore } from "../../volume/object-store.ts";
import { Epoch, type ProjectId, type VolumeName } from "../../workflows/ids.ts";
import { keysOf } from "../../workflows/keys-of.ts";
import type { ProjectState } from "../../workflows/record.ts";
import { garbageRule } from "../../workflows/retention/find-garbage.ts";
import type { ControlPorts } from "../control-ports.ts";

export interface CollectPorts {
  readonly store: ObjectStore;
  readonly records: ProjectRecords;
}

/** With the collector's own key, where there is one. */
export const collectPorts = ({ store, collectorStore, records }: ControlPorts): CollectPorts => ({
  store: collectorStore ?? store,
  records,
});

/** What was (or, on a dry run, would be) deleted, by volume. */
export const collectProject = async (
  ports: CollectPorts,
  project: ProjectId,
  dryRun: boolean,
  signal: AbortSignal,
): Promise<Record<VolumeName, CollectReport>> => {
  const reports: Record<VolumeName, CollectReport> = {};
  const loaded = await ports.records.load(project, signal);
  if (loaded === null) return reports;
  const { state } = loaded;
  for (const name of keysOf(state.volumes)) {
    const rule = garbageRule(state, name);
    if (rule === null) continue;
    const prefix = volumePrefix(project, name);
    const place = { store: ports.store, prefix };
    reports[name] = await collectGarbage({ ...place, ...rule, dryRun }, signal);
  }
  if (!dryRun) {
    await dropReports(ports, state, signal);
    await dropTakenNotes(ports, state, signal);
  }
  return reports;
};

/** Reports of deploys that are over: the history has what they said, and nobody awaits them. */
const dropReports = async (
  { store }: CollectPorts,
  state: ProjectState,
  signal: AbortSignal,
): Promise<void> => {
  const prefix = reportPrefix(state.project);
  const ended = endedDeploys(state);
  const keys: string[] = [];
  for await (const { key } of store.list(prefix, signal)) {
    if (ended.has(key.slice(prefix.length).split("/")[0] ?? "")) keys.push(key);
  }
  if (keys.length > 0) await store.delete(keys, signal);
};

/** The data of a lost node may come to light as a branch of an epoch that nobody knew of. */
const TAKEN_NOTES_KEPT = 20;

/**
 * What went from the inbox into the data of an epoch: only data that a restore point or the running
 * version stands on can make somebody ask for it.
 */
const dropTakenNotes = async (
  { store }: CollectPorts,
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

/** The deploys that are over are in the record, as far back as their attempts' epochs reach. */
const endedDeploys = (state: ProjectState): ReadonlySet<string> => new Set(state.endedAttempts);
