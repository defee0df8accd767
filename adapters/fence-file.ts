/**
 * The node's durable fences: per container and volume, the epoch below which nothing starts any
 * more. Raised and synced to disk before a stop is carried out; never lowered.
 */
import { join } from "node:path";
import * as z from "zod";
import { ContainerName, Epoch, type ProjectId, VolumeName } from "../workflows/ids.ts";
import { keysOf } from "../workflows/keys-of.ts";
import type { Fences } from "../workflows/node/assignment.ts";
import { readJsonFile, writeFileDurably } from "./durable-file.ts";

const FenceFile = z.strictObject({
  containers: z.record(ContainerName, Epoch),
  volumes: z.record(VolumeName, Epoch),
});

export interface FenceStore {
  read(project: ProjectId): Promise<Fences>;
  /** Raises each fence to at least the given epoch; returns what then holds. */
  raise(project: ProjectId, fences: Fences): Promise<Fences>;
}

export const openFenceStore = (root: string): FenceStore => {
  const path = (project: ProjectId) => join(root, "fences", `${project}.json`);
  const read = async (project: ProjectId): Promise<Fences> =>
    (await readJsonFile(path(project), FenceFile)) ?? { containers: {}, volumes: {} };
  return {
    read,
    raise: async (project, wanted) => {
      const known = await read(project);
      const raised = {
        containers: raiseAll(known.containers, wanted.containers),
        volumes: raiseAll(known.volumes, wanted.volumes),
      };
      if (JSON.stringify(raised) !== JSON.stringify(known)) {
        await writeFileDurably(path(project), JSON.stringify(raised));
      }
      return raised;
    },
  };
};

const raiseAll = <K extends string>(
  known: Readonly<Record<K, Epoch>>,
  wanted: Readonly<Record<K, Epoch>>,
): Record<K, Epoch> => {
  const raised: Record<K, Epoch> = { ...known };
  for (const key of keysOf<K>(wanted)) {
    if (wanted[key] > (raised[key] ?? 0)) raised[key] = wanted[key];
  }
  return raised;
};
