/**
 * Deletes what a project's snapshots can never need again. The record is read once, before anything
 * is listed: what becomes garbage later is left to a later run, so running deploys are never in the way.
 */
import type { ProjectRecords } from "../../adapters/project-records.ts";
import { reportPrefix, volumePrefix } from "../../adapters/store-keys.ts";
import { type CollectReport, collectGarbage } from "../../volume/collect.ts";
import type { ObjectStore } from "../../volume/object-store.ts";
import type { ProjectId, VolumeName } from "../../workflows/ids.ts";
import { keysOf } from "../../workflows/keys-of.ts";
import type { ProjectState, VolumeState } from "../../workflows/record.ts";

export interface CollectPorts {
  readonly store: ObjectStore;
  readonly records: ProjectRecords;
}

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
    const volume = state.volumes[name];
    if (volume === undefined) continue;
    reports[name] = await collectGarbage(
      {
        store: ports.store,
        prefix: volumePrefix(project, name),
        roots: findRoots(state, name),
        currentEpoch: volume.epoch,
        endedAttempts: { has: (attempt) => isOverAttempt(state, volume, attempt) },
        dryRun,
      },
      signal,
    );
  }
  if (!dryRun) await dropReports(ports, state, signal);
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

/** Head, restore points, what clones refer to, and what a running deploy has copied, sealed or goes back to. */
export const findRoots = (state: ProjectState, name: VolumeName): string[] => {
  const volume = state.volumes[name];
  const move = state.deploy?.volumes[name];
  const ids = [
    ...(volume?.snapshots.map(({ id }) => id) ?? []),
    ...(volume?.head === null || volume === undefined ? [] : [volume.head.id]),
    ...(volume?.pins.map(({ snapshotId }) => snapshotId) ?? []),
    // What is published is compared with by the next publish; its target is being read.
    ...[volume?.publication?.snapshotId, volume?.publication?.target].filter((id) => id != null),
    ...(volume?.origin.kind === "snapshot" ? [volume.origin.snapshotId] : []),
    ...(move?.copies.map(({ snapshotId }) => snapshotId) ?? []),
    ...(move?.sealed === null || move === undefined ? [] : [move.sealed.id]),
    ...(move?.restore === null || move === undefined ? [] : [move.restore]),
  ];
  return [...new Set(ids)];
};

/** The deploys that are over are in the record, as far back as their attempts' epochs reach. */
const endedDeploys = (state: ProjectState): ReadonlySet<string> => new Set(state.endedAttempts);

/**
 * An attempt is named after its deploy, or after its number in the volume's sequence: the record has gone
 * past a number when what was taken under it was taken up, or never will be.
 */
export const isOverAttempt = (
  state: Pick<ProjectState, "endedAttempts">,
  { sequence }: Pick<VolumeState, "sequence">,
  attempt: string,
): boolean => {
  const [name = ""] = attempt.split(".");
  const number = /^live-(\d+)$/.exec(name)?.[1];
  if (number !== undefined) return Number(number) < sequence;
  return state.endedAttempts.some((id) => id === name);
};
