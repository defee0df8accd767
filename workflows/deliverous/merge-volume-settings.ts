/**
 * A volume's settings from all the places that name it: each setting is given by one of them, or by
 * several that agree. A conflict is reported with both places.
 */
import type { VolumeSettings } from "../container-spec.ts";
import type { VolumeName } from "../ids.ts";
import type { NamedContainer } from "./check-project.ts";
import type { Finding } from "./explain-issues.ts";
import type { VolumeEntry } from "./file-schema.ts";

type SettingKey = Exclude<keyof VolumeEntry, "name" | "path" | "read_only">;
type Path = Finding["path"];

const SETTINGS = [
  "snapshot",
  "keep",
  "before_snapshot",
  "before_copy",
  "publish",
  "from",
  "on_node_loss",
  "max_pause",
  "standby",
] as const satisfies readonly SettingKey[];

interface Given {
  readonly value: unknown;
  readonly path: Path;
}

export interface MergedVolumes {
  readonly volumes: Record<VolumeName, VolumeSettings>;
  readonly findings: Finding[];
}

/** `placeOf` names a path's line and column, for the message of a conflict. */
export const mergeVolumeSettings = (
  containers: readonly NamedContainer[],
  placeOf: (path: Path) => string,
): MergedVolumes => {
  const volumes = new Map<VolumeName, Partial<VolumeSettings>>();
  const given = new Map<string, Given>();
  const findings: Finding[] = [];
  for (const { name: container, entry } of containers) {
    for (const [index, mount] of (entry.volumes ?? []).entries()) {
      const settings = volumes.get(mount.name) ?? {};
      for (const key of SETTINGS) {
        const path = [container, "volumes", index, key];
        const value = mount[key];
        if (value === undefined) continue;
        const flaw = findFlaw(mount, key, given.get(`${mount.name} ${key}`), placeOf);
        if (flaw !== null) findings.push({ path, part: "value", ...flaw });
        else given.set(`${mount.name} ${key}`, { value, path });
      }
      volumes.set(mount.name, { ...toSettings(mount, container), ...settings });
    }
  }
  const filled = [...volumes].map(
    ([name, settings]) => [name, { onNodeLoss: "wait" as const, ...settings }] as const,
  );
  return { volumes: Object.fromEntries(filled) as MergedVolumes["volumes"], findings };
};

const findFlaw = (
  mount: VolumeEntry,
  key: SettingKey,
  earlier: Given | undefined,
  placeOf: (path: Path) => string,
): Pick<Finding, "message" | "remedy"> | null => {
  if ((key === "before_snapshot" || key === "before_copy") && mount.read_only === true) {
    return {
      message: `${key} is run where the volume is written, and this container only reads`,
      remedy: "give it in a container that writes the volume",
    };
  }
  if (key === "keep" && Object.values(mount.keep ?? {}).every((count) => count === 0)) {
    return {
      message: "keep names no restore points",
      remedy: "write for example `keep: { last: 10 }`",
    };
  }
  if (earlier === undefined || canonical(earlier.value) === canonical(mount[key])) return null;
  return {
    message: `volume ${mount.name} has another ${key} at ${placeOf(earlier.path)}`,
    remedy: "give it once, or the same in both places",
  };
};

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === "object" && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );

const toSettings = (
  mount: VolumeEntry,
  container: NamedContainer["name"],
): Partial<VolumeSettings> => ({
  ...(mount.on_node_loss !== undefined && { onNodeLoss: mount.on_node_loss }),
  ...(mount.max_pause !== undefined && { maxPauseMs: mount.max_pause }),
  ...(mount.snapshot !== undefined && { snapshotEveryMs: mount.snapshot }),
  ...(mount.keep !== undefined && {
    keep: { last: 0, hourly: 0, daily: 0, weekly: 0, monthly: 0, ...definedOf(mount.keep) },
  }),
  ...(mount.before_snapshot !== undefined && {
    beforeSnapshot: mount.before_snapshot,
    beforeSnapshotIn: container,
  }),
  ...(mount.before_copy !== undefined && {
    beforeCopy: mount.before_copy,
    beforeCopyIn: container,
  }),
  ...(mount.publish !== undefined && { publish: mount.publish }),
  ...(mount.from !== undefined && { from: mount.from }),
  ...(mount.standby !== undefined && { standby: mount.standby }),
});

const definedOf = <T extends object>(object: T) =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
