/** The state that a volume begins with: detached, and empty. */
import type { VolumeSettings } from "./container-spec.ts";
import type { Epoch } from "./ids.ts";
import type { VolumeState } from "./record.ts";

export const newVolume = (settings: VolumeSettings, epoch: Epoch): VolumeState => ({
  settings,
  owner: null,
  epoch,
  origin: { kind: "empty" },
  head: null,
  snapshots: [],
  branches: [],
  losses: [],
  lease: null,
  sequence: 0,
  requests: [],
  tries: [],
  pins: [],
  source: null,
  standbys: [],
});
