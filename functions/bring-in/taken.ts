/** What of a volume's inbox is in its data, as of one epoch: noted before a container could change it. */
import * as z from "zod";
import { takenKey } from "../../adapters/store-keys.ts";
import type { ObjectStore } from "../../volume/object-store.ts";
import type { Epoch, ProjectId, VolumeName } from "../../workflows/ids.ts";
import { readJsonObject } from "../json-object.ts";

const TakenObject = z.strictObject({
  key: z.string(),
  etag: z.string(),
  modifiedAtMs: z.int(),
  /** The epoch's data began with it, so a committed snapshot has it: the object may go. */
  isStored: z.boolean().default(false),
});
export type TakenObject = z.infer<typeof TakenObject>;

export const Taken = z.strictObject({
  objects: z.array(TakenObject),
  refused: z.array(z.strictObject({ key: z.string(), reason: z.string() })),
});
export type Taken = z.infer<typeof Taken>;

/** Of one version of an object: uploaded again, it is another one. */
export const nameOf = ({
  key,
  etag,
  modifiedAtMs,
}: Pick<TakenObject, "key" | "etag" | "modifiedAtMs">): string =>
  JSON.stringify([key, etag, modifiedAtMs]);

/** Null: nothing was noted, or there is no such epoch. */
export const readTaken = async (
  store: ObjectStore,
  project: ProjectId,
  volume: VolumeName,
  epoch: Epoch | null,
  signal: AbortSignal,
): Promise<Taken | null> =>
  epoch === null ? null : readJsonObject(store, takenKey(project, volume, epoch), Taken, signal);
