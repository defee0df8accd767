/** The machines' file system: the real one, but nothing is synced, because no power fails here. */
import { linuxFileSystem } from "../../adapters/linux.ts";
import type { FileSystem } from "../../volume/file-system.ts";

/** The real call comes back from a thread, at a moment that no seed knows. */
export const simulatedFileSystem: FileSystem = {
  ...linuxFileSystem,
  syncFileSystem: async () => undefined,
};
