/** Containers that share a volume live on one node and move together: the groups of a project. */
import type { ContainerSpec } from "../container-spec.ts";
import type { ContainerName } from "../ids.ts";

/** Each group is a list of container names; containers without volumes stand alone. */
export const findGroups = (
  specs: Readonly<Record<ContainerName, readonly ContainerSpec[]>>,
): ContainerName[][] => {
  const names = Object.keys(specs) as ContainerName[];
  const groups: { members: ContainerName[]; volumes: Set<string> }[] = [];
  for (const name of names) {
    const volumes = new Set(
      (specs[name] ?? []).flatMap((s) => s.volumes.map((v) => String(v.name))),
    );
    const touching = groups.filter((g) => [...volumes].some((v) => g.volumes.has(v)));
    const merged = {
      members: [...touching.flatMap((g) => g.members), name],
      volumes: new Set([...touching.flatMap((g) => [...g.volumes]), ...volumes]),
    };
    for (const group of touching) groups.splice(groups.indexOf(group), 1);
    groups.push(merged);
  }
  return groups.map(({ members }) => members);
};
