/** What going back to restore points would leave behind, told before anything is done. */
import { volumePrefix } from "../adapters/store-keys.ts";
import { unwrapKeys } from "../functions/project-keys.ts";
import { diffSnapshots } from "../volume/list-entries.ts";
import type { SnapshotId, VolumeName } from "../workflows/ids.ts";
import { keysOf } from "../workflows/keys-of.ts";
import type { ProjectState, SnapshotRef } from "../workflows/record.ts";
import { askMeasures } from "./ask-measures.ts";
import type { Context } from "./context.ts";
import { formatBytes, formatMs } from "./format.ts";

export interface Loss {
  readonly volume: VolumeName;
  readonly snapshot: SnapshotId;
  readonly ageMs: number;
  /** Files that the newest restore point has otherwise, or that it alone has; and their sizes. */
  readonly files: number;
  readonly bytes: number;
  /** Of files written since the newest restore point, as the node measured just now; null: it is silent. */
  readonly dirtyBytes: number | null;
}

export const findLosses = async (
  context: Context,
  state: ProjectState,
  restore: Readonly<Record<VolumeName, SnapshotRef>>,
): Promise<Loss[]> => {
  const { control, signal } = context;
  const owners = keysOf(restore).flatMap((name) => state.volumes[name]?.owner ?? []);
  const measures = await askMeasures(control, state.project, [...new Set(owners)], signal);
  const losses: Loss[] = [];
  for (const volume of keysOf(restore)) {
    const snapshot = restore[volume];
    const known = state.volumes[volume];
    if (snapshot === undefined || known === undefined) continue;
    const { owner, head } = known;
    const measured = owner === null ? null : measures.get(owner)?.volumes[volume];
    losses.push({
      volume,
      snapshot: snapshot.id,
      ageMs: Math.max(0, control.nowMs() - snapshot.takenAtMs),
      ...(await countDifferences(context, state, volume, { from: snapshot.id, to: head?.id })),
      dirtyBytes: owner === null ? 0 : (measured?.dirtyBytes ?? null),
    });
  }
  return losses;
};

const countDifferences = async (
  { config, control, signal }: Context,
  state: ProjectState,
  volume: VolumeName,
  { from, to }: { readonly from: SnapshotId; readonly to: SnapshotId | undefined },
): Promise<Pick<Loss, "files" | "bytes">> => {
  const sum = { files: 0, bytes: 0 };
  if (to === undefined || to === from) return sum;
  const keys = unwrapKeys(config.wrappingKeys, state);
  const place = { store: control.store, prefix: volumePrefix(state.project, volume), keys };
  const before = { ...place, snapshotId: from };
  for await (const { after } of diffSnapshots(before, { ...place, snapshotId: to }, signal)) {
    if (after?.type !== "file") continue;
    sum.files += 1;
    sum.bytes += after.size;
  }
  return sum;
};

export const showLoss = ({ volume, snapshot, ageMs, files, bytes, dirtyBytes }: Loss): string => {
  const since = dirtyBytes === null ? "what is on the silent node" : formatBytes(dirtyBytes);
  return `volume ${volume}: back to ${snapshot}, ${formatMs(ageMs)} old; left behind: ${files} files of ${formatBytes(bytes)} in newer restore points, and ${since} written since the newest`;
};
