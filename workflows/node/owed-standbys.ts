/** What a node owes as a standby: the newest snapshots of volumes that others own. */
import type { NodeId, SnapshotId, VolumeName } from "../ids.ts";
import { keysOf } from "../keys-of.ts";
import type { ProjectState } from "../record.ts";

export interface OwedStandby {
  readonly volume: VolumeName;
  readonly snapshotId: SnapshotId;
}

/** None while a deploy runs: what it stages on its target must not wait for anybody. */
export const owedStandbys = ({ deploy, volumes }: ProjectState, node: NodeId): OwedStandby[] =>
  keysOf(volumes).flatMap((volume) => {
    const known = volumes[volume];
    const head = known?.head ?? null;
    if (deploy !== null || head === null || known?.owner === node) return [];
    return known?.standbys.includes(node) === true ? [{ volume, snapshotId: head.id }] : [];
  });
