/** What of a volume's inbox is in its data, as of one epoch: noted before a container could change it. */
import * as z from "zod";

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
