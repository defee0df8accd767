/**
 * Deletes what a project's snapshots can never need again. The record was read once, before anything
 * is listed: what becomes garbage later is left to a later run, so running deploys are never in the way.
 */
import { reportPrefix, volumePrefix } from "../../adapters/store-keys.ts";
import { type CollectReport, collectGarbage } from "../../volume/collect.ts";
import type { ObjectStore } from "../../volume/object-store.ts";
import type { VolumeName } from "../../workflows/ids.ts";
import { keysOf } from "../../workflows/keys-of.ts";
import type { ProjectState } from "../../workflows/record.ts";
import { garbageRule } from "../../workflows/retention/find-garbage.ts";
import type { ControlPorts } from "../control-ports.ts";

interface CollectPorts {
  readonly store: ObjectStore;
}

/** With the collector's own key, where there is one. */
export const collectPorts = ({ store, collectorStore }: ControlPorts): CollectPorts => ({
  store: collectorStore ?? store,
});

/** What was (or, on a dry run, would be) deleted, by volume. */
export const collectProject = async (
  ports: CollectPorts,
  state: ProjectState,
  dryRun: boolean,
  signal: AbortSignal,
): Promise<Record<VolumeName, CollectReport>> => {
  const { project } = state;
  const reports: Record<VolumeName, CollectReport> = {};
  for (const name of keysOf(state.volumes)) {
    const rule = garbageRule(state, name);
    if (rule === null) continue;
    const prefix = volumePrefix(project, name);
    const place = { store: ports.store, prefix };
    reports[name] = await collectGarbage({ ...place, ...rule, dryRun }, signal);
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

/** The deploys that are over are in the record, as far back as their attempts' epochs reach. */
const endedDeploys = (state: ProjectState): ReadonlySet<string> => new Set(state.endedAttempts);
