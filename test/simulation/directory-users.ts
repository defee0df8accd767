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
  for (const { pid, held, request } of containers) {
    const isUser = held.some(({ descriptor }) => isWithin(descriptor, directory));
    if (pid !== null && isUser) users.push({ pid, command: request.name, how: "mount" });
  }
  return users;
};

const isWithin = (descriptor: number, directory: string): boolean => {
  const held = readlinkSync(`/proc/self/fd/${descriptor}`);
  return held === directory || held.startsWith(`${directory}/`);
};
