/** File systems of a kind in a file, mounted through a loop device, for as long as a benchmark runs. */
import { execFileSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { waitUntil } from "../infra/lab/wait-until.ts";

export type FileSystemKind = "ext4" | "xfs" | "btrfs";

const MAKE: Readonly<Record<FileSystemKind, readonly string[]>> = {
  ext4: ["mkfs.ext4", "-q", "-F"],
  xfs: ["mkfs.xfs", "-q", "-m", "reflink=1"],
  btrfs: ["mkfs.btrfs", "-q"],
};

const BUSY_TIMEOUT_MS = 5_000;

export interface Mounted {
  readonly directory: string;
  /** Waits for what is just being closed on it, an index on its way to the disk. */
  unmount(): Promise<void>;
}

export const mountFileSystem = (
  kind: FileSystemKind,
  scratch: string,
  imageBytes: number,
): Mounted => {
  const image = join(scratch, `${kind}.img`);
  const directory = join(scratch, kind);
  mkdirSync(directory, { recursive: true });
  const fd = openSync(image, "w");
  ftruncateSync(fd, imageBytes);
  closeSync(fd);
  const [command = "", ...argv] = MAKE[kind];
  execFileSync(command, [...argv, image], { stdio: "pipe" });
  execFileSync("mount", ["-o", "loop", image, directory], { stdio: "pipe" });
  return {
    directory,
    unmount: async () => {
      const what = `${directory} is used no more`;
      const umount = async () => execFileSync("umount", [directory], { stdio: "pipe" });
      const signal = AbortSignal.timeout(2 * BUSY_TIMEOUT_MS);
      await waitUntil(umount, { what, timeoutMs: BUSY_TIMEOUT_MS }, signal);
      rmSync(image);
    },
  };
};
