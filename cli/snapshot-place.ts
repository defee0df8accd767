/** `VOLUME` or `VOLUME@SNAPSHOT` on the command line → the snapshot's place in the store. */
import { volumePrefix } from "../adapters/store-keys.ts";
import { unwrapKeys } from "../functions/project-keys.ts";
import { TerminalError } from "../volume/errors.ts";
import type { SnapshotPlace } from "../volume/snapshot.ts";
import { VolumeName } from "../workflows/ids.ts";
import type { SnapshotRef } from "../workflows/record.ts";
import type { Context } from "./context.ts";

/** The head where no snapshot is named; an id may be cut short as long as it is unique. */
export const findPlace = async (
  { config, control, loadProject }: Context,
  projectName: string,
  name: string,
): Promise<SnapshotPlace & { readonly ref: SnapshotRef }> => {
  const { project, state } = await loadProject(projectName);
  const [volumeName = "", id] = name.split("@");
  const volume = state.volumes[VolumeName.parse(volumeName)];
  if (volume === undefined) {
    throw new TerminalError(`project ${project} has no volume ${volumeName}`, {
      code: "unknown-volume",
      hint: `bagage volumes ${project}`,
    });
  }
  const fits = volume.snapshots.filter((s) =>
    id === undefined ? s.id === volume.head?.id : s.id.startsWith(id),
  );
  const [ref] = fits;
  if (ref === undefined || fits.length > 1) {
    const what = ref === undefined ? "has no such snapshot" : "has several snapshots that begin so";
    throw new TerminalError(`volume ${volumeName} ${what}: ${id ?? "none was taken yet"}`, {
      code: "unknown-snapshot",
      hint: `bagage snapshots ${project} ${volumeName}`,
    });
  }
  const prefix = volumePrefix(project, VolumeName.parse(volumeName));
  const keys = unwrapKeys(config.wrappingKeys, state);
  return { store: control.store, prefix, snapshotId: ref.id, keys, ref };
};
