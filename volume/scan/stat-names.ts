/** What the names of an open directory stand for; null: gone by now. */
import type { FileStat, FileSystem } from "../file-system.ts";
import { unlessGone } from "./through-fd.ts";

export const statNames = (
  directoryFd: number,
  names: readonly Buffer[],
  fileSystem: Pick<FileSystem, "statAt">,
): (FileStat | null)[] =>
  names.map((name) => unlessGone(() => fileSystem.statAt(directoryFd, name)));
