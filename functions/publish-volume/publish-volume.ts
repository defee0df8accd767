/**
 * Brings the files of a volume's newest snapshot into the project's bucket, as plain objects: only
 * what changed since the snapshot that is there. One publisher at a time, by a claim in the record;
 * one that breaks off is gone on from where it was.
 */
import type { S3Bucket } from "../../adapters/s3-bucket.ts";
import { publicationKey } from "../../adapters/store-keys.ts";
import { TerminalError } from "../../volume/errors.ts";
import type { ProjectId, VolumeName } from "../../workflows/ids.ts";
import type { OwedPublication } from "../../workflows/publish/owed-publication.ts";
import type { ProjectState } from "../../workflows/record.ts";
import { advanceProject } from "../advance-deploy/advance-project.ts";
import { elapsedMs } from "../elapsed-ms.ts";
import { openProjectKeys } from "../project-keys.ts";
import { findSpace, openAsOwner, requireSpace } from "../spaces/space.ts";
import { leftOutKey, markerKey, publishedPrefix } from "../spaces/space-names.ts";
import { bringSnapshot, type PublishCounts } from "./bring-snapshot.ts";
import { deletePrefix } from "./delete-prefix.ts";
import { claimTurn, openTurn, type PublishPorts, type Turn } from "./publish-turn.ts";

/** Does what the record says is owed, or nothing. A TerminalError is noted there, not thrown. */
export const publishVolume = async (
  ports: PublishPorts,
  project: ProjectId,
  volume: VolumeName,
  signal: AbortSignal,
): Promise<void> => {
  const attempt = ports.newUuid();
  const claimed = await claimTurn(ports, { project, volume, attempt }, signal);
  if (claimed === null) return;
  const { owed } = claimed;
  const turn = openTurn(ports, { project, volume, attempt });
  const began = ports.nowMs();
  try {
    const snapshotId = owed.kind === "publish" ? owed.target : null;
    const counts = await perform(ports, turn, claimed, signal);
    await finish(ports, turn, { type: "publication.ended", volume, attempt, snapshotId }, signal);
    ports.log.info(
      { project, volume, ...counts, ms: elapsedMs(began, ports.nowMs()) },
      "volume.published",
    );
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof TerminalError)) throw error;
    if (error.code === "claim-lost") return;
    const reason = error.hint === undefined ? error.message : `${error.message} (${error.hint})`;
    const failed = { type: "publication.failed", volume, attempt, reason } as const;
    await finish(ports, turn, { ...failed, nowMs: ports.nowMs() }, signal);
    ports.log.error({ project, volume, err: error }, "volume.not-published");
  }
};

const finish = async (
  ports: PublishPorts,
  { project }: Turn,
  input: NonNullable<Parameters<typeof advanceProject>[1]["input"]>,
  signal: AbortSignal,
): Promise<void> => {
  const { refusal } = await advanceProject(ports, { project, input, resend: false }, signal);
  if (refusal !== null) ports.log.warn({ project, ...refusal }, "publication.late");
};

const perform = async (
  ports: PublishPorts,
  turn: Turn,
  { owed, state }: { readonly owed: OwedPublication; readonly state: ProjectState },
  signal: AbortSignal,
): Promise<PublishCounts> => {
  const { project, volume } = turn;
  if (owed.kind === "withdraw" && (await findSpace(ports.spaces, project, signal)) === null) {
    return { written: 0, deleted: 0 };
  }
  const space = await requireSpace(ports.spaces, project, signal);
  const bucket = openAsOwner(ports.spaces, space.bucket);
  try {
    return owed.kind === "withdraw"
      ? await withdraw(ports, bucket, volume, turn, signal)
      : await bringSnapshot(
          { ports, bucket, turn, keys: await openProjectKeys(ports.wrappingKeys, state), ...owed },
          signal,
        );
  } finally {
    bucket.close();
  }
};

const withdraw = async (
  ports: PublishPorts,
  bucket: S3Bucket,
  volume: VolumeName,
  turn: Turn,
  signal: AbortSignal,
): Promise<PublishCounts> => {
  await bucket.delete([markerKey(volume)], signal);
  const deleted = await deletePrefix(bucket, publishedPrefix(volume), turn, signal);
  await bucket.delete([leftOutKey(volume)], signal);
  await ports.store.delete([publicationKey(turn.project, volume)], signal);
  return { written: 0, deleted };
};
