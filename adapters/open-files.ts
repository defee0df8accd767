/**
 * Who still uses a directory tree: processes with their working directory, root, an open file or a
 * mapping in it, and processes of another mount namespace that have it mounted. Asked before
 * "stopped" is reported. Not seen: descriptors in flight over sockets, and the kernel's own users
 * (NFS server, loop devices, swap files).
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import { TerminalError } from "../volume/errors.ts";
import { isPlaceWithin, type Mount, type Place, parseMountTable, placeOf } from "./mount-table.ts";

export interface DirectoryUser {
  readonly pid: number;
  readonly command: string;
  readonly how: "cwd" | "root" | "fd" | "map" | "mount";
}

/** Processes looked at before other work gets its turn. */
const PROCESSES_PER_TURN = 20;

const INIT_PID = 1;

/**
 * One entry a process, this one left out. Throws TerminalError when some process may not be looked
 * at: an incomplete answer would pass a writer off as stopped.
 */
export const processesUsing = async (directory: string): Promise<DirectoryUser[]> => {
  const mounts = parseMountTable(readFileSync("/proc/self/mountinfo", "utf8"));
  const place = placeOf(mounts, await realpath(directory));
  if (place === null) return [];
  const host = { namespace: readlinkSync("/proc/self/ns/mnt"), mounts, others: new Map() };
  const users: DirectoryUser[] = [];
  let seen = 0;
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    const user = findUse(Number(name), place, host);
    if (user !== null) users.push(user);
    seen += 1;
    if (seen % PROCESSES_PER_TURN === 0) await setImmediate();
  }
  return users;
};

interface HostMounts {
  readonly namespace: string;
  readonly mounts: readonly Mount[];
  /** Of other namespaces, read once: a container's processes share theirs. */
  readonly others: Map<string, readonly Mount[]>;
}

const findUse = (pid: number, directory: Place, host: HostMounts): DirectoryUser | null => {
  for (const thread of threadsOf(pid)) {
    try {
      const namespace = readlinkSync(`/proc/${thread}/ns/mnt`);
      const isHost = namespace === host.namespace;
      const mounts = isHost ? host.mounts : otherMounts(thread, namespace, host);
      const how = findWay(thread, directory, mounts, isHost);
      if (how === null) return null;
      return { pid, command: readFileSync(`/proc/${pid}/comm`, "utf8").trim(), how };
    } catch (error) {
      if (isGone(error)) continue;
      // Some sandboxes shield init even from root; init has no business in a volume.
      if (pid === INIT_PID) return null;
      throw new TerminalError(`can't see what process ${pid} uses`, {
        code: "open-files-denied",
        hint: "run the agent as root, with CAP_SYS_PTRACE, and without hidepid on /proc",
        cause: error,
      });
    }
  }
  return null;
};

/** The first one, which has what the others have; they are for when it has ended alone. */
function* threadsOf(pid: number): Generator<number> {
  yield pid;
  try {
    for (const name of readdirSync(`/proc/${pid}/task`)) {
      if (Number(name) !== pid) yield Number(name);
    }
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

/** What a process sees of its namespace's mounts depends on its root as well. */
const otherMounts = (pid: number, namespace: string, { others }: HostMounts): readonly Mount[] => {
  const key = `${namespace} ${readLink(`/proc/${pid}/root`)}`;
  const known = others.get(key);
  if (known !== undefined) return known;
  const mounts = parseMountTable(readFileSync(`/proc/${pid}/mountinfo`, "utf8"));
  others.set(key, mounts);
  return mounts;
};

const findWay = (
  pid: number,
  directory: Place,
  mounts: readonly Mount[],
  isHost: boolean,
): DirectoryUser["how"] | null => {
  const isUse = (path: string | null): boolean => {
    if (path === null) return false;
    const place = placeOf(mounts, path);
    return place !== null && isPlaceWithin(place, directory);
  };
  if (isUse(readLink(`/proc/${pid}/cwd`))) return "cwd";
  if (isUse(readLink(`/proc/${pid}/root`))) return "root";
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    if (isUse(readLink(`/proc/${pid}/fd/${fd}`))) return "fd";
  }
  if (mappedPaths(pid).some(isUse)) return "map";
  // A namespace of its own keeps such a mount alive, and may write through it at any moment.
  const hasMount = !isHost && mounts.some((m) => isPlaceWithin(mountedPlace(m), directory));
  return hasMount ? "mount" : null;
};

const mountedPlace = ({ device, root }: Mount): Place => ({ device, path: root });

/** Null when it went away in between (a closed descriptor), or has none (a kernel thread). */
const readLink = (path: string): string | null => {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
};

/** The kernel writes a newline in a mapped file's name as `\012`. */
const mappedPaths = (pid: number): string[] => {
  const paths = new Set<string>();
  for (const line of readFileSync(`/proc/${pid}/maps`, "utf8").split("\n")) {
    const at = line.indexOf("/");
    if (at !== -1) paths.add(line.slice(at).replaceAll("\\012", "\n"));
  }
  return [...paths];
};

/** The mount table of what has ended, and is not forgotten yet, is an invalid argument. */
const isGone = (error: unknown): boolean => {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOENT" || code === "ESRCH" || code === "EINVAL";
};
