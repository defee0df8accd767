/** What a volume's record notes of snapshots outside deploys, and of clones. */
import * as z from "zod";
import { ProjectId, SnapshotId, VolumeName } from "../ids.ts";

/** Another volume, in this or another project. */
export const VolumePlace = z.strictObject({ project: ProjectId, volume: VolumeName });
export type VolumePlace = z.infer<typeof VolumePlace>;

/** A snapshot that must stay because another volume refers to what is below it. */
export const Pin = z.strictObject({ snapshotId: SnapshotId, by: VolumePlace });
export type Pin = z.infer<typeof Pin>;

/** How a try to take a snapshot outside a deploy ended; kept for whoever asked for it. */
export const SnapshotTry = z.strictObject({
  requestIds: z.array(z.string()),
  atMs: z.int(),
  snapshotId: SnapshotId.nullable(),
  failure: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
});
export type SnapshotTry = z.infer<typeof SnapshotTry>;
