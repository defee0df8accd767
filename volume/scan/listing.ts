/**
 * An open directory: its names in order, looked at group by group. In large directories threads do that,
 * one group ahead of whoever asks, for it is half of the work of an unchanged snapshot.
 */
import { closeSync, readdirSync } from "node:fs";
import type { FileStat, FileSystem } from "../file-system.ts";
import { sharedThreads } from "../threads/thread-pool.ts";
import { packNames, unpackStats } from "./packed-stats.ts";
import { statNames } from "./stat-names.ts";
import { throughFd } from "./through-fd.ts";

export interface Looked {
  readonly name: Buffer;
  readonly stat: FileStat;
}

export interface Listing {
  readonly fd: number;
  /** The next group, without what is gone by now; null: there are no more names. */
  next(): Promise<readonly Looked[] | null>;
  /** Waits for what threads do with the descriptor. */
  close(): Promise<void>;
}

const NAMES_A_GROUP = 2_048;
/** Fewer are looked at in less time than a thread is asked. */
const NAMES_FOR_A_THREAD = 64;
/** As the bytes that are hashed in the time in which a name is looked at. */
const WORK_A_NAME = 1_024;

/** Of a directory that is open at `fd`, which is the listing's from here on. */
export const openListing = (fd: number, fileSystem: FileSystem): Listing => {
  const names = readNames(fd);
  const begin = (from: number): Promise<readonly Looked[]> | null => {
    if (from >= names.length) return null;
    const group = look(fd, names.slice(from, from + NAMES_A_GROUP), fileSystem);
    group.catch(() => undefined); // Whoever asks for the group sees it; maybe nobody does.
    return group;
  };
  let from = 0;
  let ahead = begin(from);
  return {
    fd,
    next: async () => {
      const group = await ahead;
      from += NAMES_A_GROUP;
      ahead = begin(from);
      return group;
    },
    close: async () => {
      await ahead?.catch(() => undefined);
      closeSync(fd);
    },
  };
};

const readNames = (fd: number): Buffer[] => {
  try {
    return readdirSync(throughFd(fd), { encoding: "buffer" }).sort(Buffer.compare);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
};

const look = async (
  fd: number,
  names: readonly Buffer[],
  fileSystem: FileSystem,
): Promise<readonly Looked[]> => {
  const stats =
    names.length < NAMES_FOR_A_THREAD
      ? statNames(fd, names, fileSystem)
      : await statInThread(fd, names, fileSystem);
  return names.flatMap((name, i) => {
    const stat = stats[i];
    return stat === null || stat === undefined ? [] : [{ name, stat }];
  });
};

const statInThread = async (fd: number, names: readonly Buffer[], fileSystem: FileSystem) => {
  const job = { kind: "stat-names", directoryFd: fd, names: packNames(names) } as const;
  const bytes = names.length * WORK_A_NAME;
  return unpackStats(await sharedThreads.run<"stat-names">(job, bytes, { fileSystem }));
};
