/**
 * Sends what a hydrate writes on its way to the disk while it goes on writing, so that little is left
 * to wait for at its end.
 */
import { closeSync, openSync } from "node:fs";
import type { FileSystem } from "../file-system.ts";

/** So much is a good part of a second of a disk's time; waiting for less would cost more than it saves. */
const BYTES_AT_ONCE = 96 * 2 ** 20;

export interface WriteBack {
  /** So much more was written. */
  note(bytes: number): void;
  /** All that was written is on the disk. */
  finish(): Promise<void>;
  /** Waits for what is under way; for the way out, whether it succeeded or not. */
  close(): Promise<void>;
}

/** One descriptor for all of it: what failed to reach the disk is told once to each. */
export const openWriteBack = (directory: string, fileSystem: FileSystem): WriteBack => {
  const fd = openSync(directory, "r");
  let waiting = 0;
  let underWay: Promise<void> | null = null;
  let failure: { readonly error: unknown } | null = null;
  const begin = (): void => {
    underWay = fileSystem
      .syncFileSystem(fd)
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .finally(() => {
        underWay = null;
      });
  };
  const settle = async (): Promise<void> => {
    await underWay;
    if (failure !== null) throw failure.error;
  };
  return {
    note: (bytes) => {
      waiting += bytes;
      if (waiting < BYTES_AT_ONCE || underWay !== null) return;
      waiting = 0;
      begin();
    },
    finish: async () => {
      await settle();
      begin();
      await settle();
    },
    close: async () => {
      await underWay;
      closeSync(fd);
    },
  };
};
