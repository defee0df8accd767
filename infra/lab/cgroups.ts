/**
 * Containers outlive a killed Docker engine. All of a lab node's containers are in one control group,
 * through which they are found and ended; it works on version 1 (a tree for each controller) and
 * version 2 (one tree) alike.
 */
import { existsSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";

const CGROUP_ROOT = "/sys/fs/cgroup";

/** Pids of all processes in the group and below it. */
export const cgroupPids = (group: string): number[] => {
  const pids = cgroupTrees(group).flatMap((tree) =>
    descendants(tree).flatMap((directory) => readPids(join(directory, "cgroup.procs"))),
  );
  return [...new Set(pids)];
};

/** Removes the group, which must have no processes any more. Idempotent. */
export const removeCgroup = (group: string): void => {
  for (const tree of cgroupTrees(group)) {
    for (const directory of descendants(tree)) rmdirSync(directory);
  }
};

const cgroupTrees = (group: string): string[] => {
  const controllers = existsSync(CGROUP_ROOT) ? readdirSync(CGROUP_ROOT) : [];
  const roots = [CGROUP_ROOT, ...controllers.map((name) => join(CGROUP_ROOT, name))];
  return roots.map((root) => join(root, group)).filter((path) => existsSync(path));
};

/** The directory and all below it, deepest first. */
const descendants = (directory: string): string[] => [
  ...readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => descendants(join(directory, entry.name))),
  directory,
];

const readPids = (file: string): number[] =>
  existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean).map(Number) : [];
