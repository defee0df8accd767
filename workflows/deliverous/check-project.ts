/** What concerns several keys or several containers at once: ports, mounts, and volumes' settings. */
import type { ContainerName } from "../ids.ts";
import type { Finding } from "./explain-issues.ts";
import type { ContainerEntry } from "./file-schema.ts";
import { isWithin } from "./mount-path.ts";

/** A container whose own entry is right. */
export interface NamedContainer {
  readonly name: ContainerName;
  readonly entry: ContainerEntry;
}

const VOLUMES_MAX = 64;

/** Every problem between entries, in the order of the file. */
export const checkProject = (containers: readonly NamedContainer[]): Finding[] => [
  ...findPortClashes(containers),
  ...findDomainClashes(containers),
  ...containers.flatMap(findMountClashes),
  ...findExcessVolumes(containers),
];

const findPortClashes = (containers: readonly NamedContainer[]): Finding[] => {
  const owners = new Map<number, ContainerName>();
  const findings: Finding[] = [];
  for (const { name, entry } of containers) {
    for (const [index, { hostPort }] of (entry.ports ?? []).entries()) {
      const owner = owners.get(hostPort);
      if (owner === undefined) {
        owners.set(hostPort, name);
        continue;
      }
      findings.push({
        path: [name, "ports", index],
        part: "value",
        message: `host port ${hostPort} is published twice, first by ${owner}`,
        remedy: "publish it once, or choose another host port",
      });
    }
  }
  return findings;
};

const findDomainClashes = (containers: readonly NamedContainer[]): Finding[] => {
  const owners = new Map<string, ContainerName>();
  return containers.flatMap(({ name, entry }) =>
    (entry.domains ?? []).flatMap(({ host, path }, index): Finding[] => {
      const owner = owners.get(`${host}${path}`);
      owners.set(`${host}${path}`, owner ?? name);
      if (owner === undefined) return [];
      const message = `${host}${path} is named twice, first by ${owner}`;
      const remedy = "name it once, or give one of them a path of its own";
      return [{ path: [name, "domains", index], part: "value", message, remedy }];
    }),
  );
};

/** A mount within another would leave its empty directory in the outer volume's snapshots. */
const findMountClashes = ({ name, entry }: NamedContainer): Finding[] => {
  const mounts = entry.volumes ?? [];
  return mounts.flatMap((mount, index) => {
    const earlier = mounts.slice(0, index);
    const findings: Finding[] = [];
    const add = (key: string, message: string, remedy: string) =>
      findings.push({ path: [name, "volumes", index, key], part: "value", message, remedy });
    const twin = earlier.find((other) => other.name === mount.name);
    if (twin !== undefined) {
      add("name", `the volume is mounted at ${twin.path} already`, "mount it once, or use a link");
    }
    const clash = earlier.find(
      (other) => isWithin(mount.path, other.path) || isWithin(other.path, mount.path),
    );
    if (clash?.path === mount.path) {
      add(
        "path",
        `volume ${clash.name} is mounted at ${mount.path} already`,
        "choose another path",
      );
    } else if (clash !== undefined) {
      const message = `${mount.path} and ${clash.path} of volume ${clash.name} are nested`;
      add("path", message, "choose paths apart");
    }
    return findings;
  });
};

const findExcessVolumes = (containers: readonly NamedContainer[]): Finding[] => {
  const names = new Set<string>();
  for (const { name, entry } of containers) {
    for (const [index, volume] of (entry.volumes ?? []).entries()) {
      names.add(volume.name);
      if (names.size <= VOLUMES_MAX) continue;
      const path = [name, "volumes", index, "name"];
      const message = `a project has at most ${VOLUMES_MAX} volumes`;
      return [{ path, part: "value", message, remedy: "use directories within fewer volumes" }];
    }
  }
  return [];
};
