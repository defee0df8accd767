/** A planted bug: records in which a collection finds nothing that must stay. */
import type { ProjectRecords } from "../../adapters/project-records.ts";
import { Epoch } from "../../workflows/ids.ts";

/** Every snapshot looks as if nobody needed it. */
export const blindRecords = (records: ProjectRecords): ProjectRecords => ({
  ...records,
  load: async (project, signal) => {
    const loaded = await records.load(project, signal);
    if (loaded === null) return null;
    const volumes = Object.fromEntries(
      Object.entries(loaded.state.volumes).map(([name, volume]) => [
        name,
        {
          ...volume,
          head: null,
          snapshots: [],
          origin: { kind: "empty" as const },
          epoch: Epoch.parse(volume.epoch + 1),
        },
      ]),
    );
    return { ...loaded, state: { ...loaded.state, volumes, deploy: null } };
  },
});
