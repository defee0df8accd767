/** Where the store says that projects' containers and nodes' doors are; asked no more than needed. */
import type { DoorAddress } from "../../adapters/enter-door.ts";
import type { ProjectRecords } from "../../adapters/project-records.ts";
import { heartbeatKey } from "../../adapters/store-keys.ts";
import { readJsonObject } from "../../functions/json-object.ts";
import type { ObjectStore } from "../../volume/object-store.ts";
import { findPlaces } from "../../workflows/edge/routes.ts";
import type { ContainerName, NodeId, ProjectId } from "../../workflows/ids.ts";
import { NodeStatus } from "../../workflows/placement/node-status.ts";
import type { ProjectState } from "../../workflows/record.ts";

/** While clients wait, the record is looked at this often; each look is one small request. */
const RECORD_FRESH_MS = 100;
const DOOR_FRESH_MS = 10_000;

export interface FollowedPlaces {
  /** The record as it is now, or was a moment ago; null: no such project. */
  readProject(project: ProjectId, signal: AbortSignal): Promise<ProjectState | null>;
  readPlaces(
    project: ProjectId,
    container: ContainerName,
    signal: AbortSignal,
  ): Promise<DoorAddress[]>;
}

export const followPlaces = (
  { store, records }: { readonly store: ObjectStore; readonly records: ProjectRecords },
  nowMs: () => number,
): FollowedPlaces => {
  const readProject = keepFresh(RECORD_FRESH_MS, nowMs, async (project: ProjectId, signal) => {
    const loaded = await records.load(project, signal);
    return loaded?.state ?? null;
  });
  const readDoor = keepFresh(DOOR_FRESH_MS, nowMs, async (node: NodeId, signal) => {
    const status = await readJsonObject(store, heartbeatKey(node), NodeStatus, signal);
    if (status?.doorPort === undefined) return null;
    return { address: status.address, port: status.doorPort };
  });
  return {
    readProject,
    readPlaces: async (project, container, signal) => {
      const state = await readProject(project, signal);
      if (state === null) return [];
      const nodes = findPlaces(state, container);
      const doors = await Promise.all(nodes.map((node) => readDoor(node, signal)));
      return doors.filter((door) => door !== null);
    },
  };
};

/** Answers that are young enough are given again, and many who ask at once share one question. */
const keepFresh = <K, V>(
  freshMs: number,
  nowMs: () => number,
  read: (key: K, signal: AbortSignal) => Promise<V>,
): ((key: K, signal: AbortSignal) => Promise<V>) => {
  const answers = new Map<K, { readonly atMs: number; readonly answer: Promise<V> }>();
  return (key, signal) => {
    const known = answers.get(key);
    if (known !== undefined && nowMs() - known.atMs < freshMs) return known.answer;
    const mine = { atMs: nowMs(), answer: read(key, signal) };
    answers.set(key, mine);
    mine.answer.catch(() => {
      if (answers.get(key) === mine) answers.delete(key);
    });
    return mine.answer;
  };
};
