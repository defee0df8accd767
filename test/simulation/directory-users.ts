/** Who has a directory open, as the kernel has it: the daemon's word may lag behind. */
import { readlinkSync } from "node:fs";
import type { DirectoryUser } from "../../adapters/open-files.ts";
import type { Container } from "./daemon.ts";

/** `stranger`: the open file of a process that is no container's. */
export const directoryUsers = (
  directory: string,
  stranger: number | null,
  containers: Iterable<Container>,
): DirectoryUser[] => {
  const users: DirectoryUser[] = [];
  if (stranger !== null && isWithin(stranger, directory)) {
    users.push({ pid: 1, command: "stranger", how: "fd" });
  }
  for (const { pid, data, request } of containers) {
    if (pid === null || data === null || !isWithin(data, directory)) continue;
    users.push({ pid, command: request.name, how: "mount" });
  }
  return users;
};

const isWithin = (descriptor: number, directory: string): boolean => {
  const held = readlinkSync(`/proc/self/fd/${descriptor}`);
  return held === directory || held.startsWith(`${directory}/`);
};
