/**
 * Clones a snapshot into a new volume of this or another project: a pin in the source's record, one small
 * object, an entry in the target's record, in this order. Wherever it breaks off, nothing refers to what
 * could be collected, and the same call again completes it.
 */
import { createHash } from "node:crypto";
import { volumePrefix } from "../adapters/store-keys.ts";
import { cloneSnapshot } from "../volume/clone-snapshot.ts";
import { TerminalError } from "../volume/errors.ts";
import { requireSnapshot } from "../volume/list-entries.ts";
import type { DataKeys } from "../volume/sealing.ts";
import { SNAPSHOT_FORMATS } from "../volume/snapshot.ts";
import type { Input } from "../workflows/deploy/messages.ts";
import { Epoch, KeyId, type ProjectId, SnapshotId } from "../workflows/ids.ts";
import type { SnapshotRef } from "../workflows/record.ts";
import type { VolumePlace } from "../workflows/snapshots/snapshot-notes.ts";
import { advanceProject } from "./advance-deploy/advance-project.ts";
import type { ControlPorts } from "./control-ports.ts";
import { unwrapKeys, type WrappingKeys, wrapKey } from "./project-keys.ts";

export interface CloneRequest {
  readonly from: VolumePlace;
  /** One of the source's restore points. */
  readonly snapshot: SnapshotRef;
  readonly to: VolumePlace;
  /** Needed where the source is sealed. */
  readonly wrappingKeys: WrappingKeys;
}

const ID_DIGITS = 16;

export const cloneVolume = async (
  ports: ControlPorts,
  { from, snapshot, to, wrappingKeys }: CloneRequest,
  signal: AbortSignal,
): Promise<SnapshotRef> => {
  const source = await load(ports, from.project, signal);
  const target = await load(ports, to.project, signal);
  const keys = unwrapKeys(wrappingKeys, source);
  const prefix = volumePrefix(from.project, from.volume);
  const place = { store: ports.store, prefix, snapshotId: snapshot.id, keys };
  const known = target.volumes[to.volume];
  if (known !== undefined && known.source?.snapshotId !== snapshot.id) {
    throw new TerminalError(`project ${to.project} has a volume ${to.volume} already`, {
      code: "volume-exists",
      hint: "clone to another name; a volume is never replaced",
    });
  }
  const { format } = await requireSnapshot(place, signal);
  if (format === SNAPSHOT_FORMATS.sealed && from.project !== to.project) {
    // The clone reads what is sealed with the source's keys: its project shares them.
    const currentFirst = keys.keys.toSorted((a, b) => rank(keys, a.id) - rank(keys, b.id));
    for (const { id, secret } of currentFirst) {
      const key = wrapKey(wrappingKeys, to.project, { id: KeyId.parse(id), secret });
      await apply(ports, to.project, { type: "key.added", key, isCurrent: false }, signal);
    }
  }
  const pin = { snapshotId: snapshot.id, by: to };
  await apply(ports, from.project, { type: "snapshot.pinned", volume: from.volume, pin }, signal);
  const snapshotId = nameClone({ from, snapshot, to });
  const clone = { store: ports.store, prefix: volumePrefix(to.project, to.volume), snapshotId };
  const { epoch } = await cloneSnapshot(place, clone, signal);
  const ref: SnapshotRef = {
    ...snapshot,
    id: snapshotId,
    epoch: Epoch.parse(epoch),
    storedBytes: 0,
    deployId: null,
  };
  const cloned: Input = {
    type: "volume.cloned",
    volume: to.volume,
    snapshot: ref,
    source: { ...from, snapshotId: snapshot.id },
  };
  await apply(ports, to.project, cloned, signal);
  return ref;
};

/** A project without a key of its own goes on with the one that its source uses. */
const rank = ({ current }: DataKeys, id: string): number => (id === current ? 0 : 1);

/** The same clone has the same id, so that a repeated call writes the same object. */
const nameClone = ({ from, snapshot, to }: Omit<CloneRequest, "wrappingKeys">): SnapshotId => {
  const text = JSON.stringify([from.project, from.volume, snapshot.id, to.project, to.volume]);
  const digits = createHash("sha256").update(text).digest("hex").slice(0, ID_DIGITS);
  return SnapshotId.parse(`clone-${digits}`);
};

const load = async (ports: ControlPorts, project: ProjectId, signal: AbortSignal) => {
  const loaded = await ports.records.load(project, signal);
  if (loaded !== null) return loaded.state;
  throw new TerminalError(`there is no project ${project}`, {
    code: "unknown-project",
    hint: `bagage project add ${project} --repository URL`,
  });
};

const apply = async (
  ports: ControlPorts,
  project: ProjectId,
  input: Input,
  signal: AbortSignal,
): Promise<void> => {
  const { refusal } = await advanceProject(ports, { project, input, resend: false }, signal);
  if (refusal === null) return;
  throw new TerminalError(refusal.message, { code: refusal.code, hint: refusal.hint });
};
