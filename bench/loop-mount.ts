/** File systems of a kind in a file, mounted through a loop device, for as long as a benchmark runs. */
import { execFileSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";

export type FileSystemKind = "ext4" | "xfs" | "btrfs";

const MAKE: Readonly<Record<FileSystemKind, readonly string[]>> = {
  ext4: ["mkfs.ext4", "-q", "-F"],
  xfs: ["mkfs.xfs", "-q", "-m", "reflink=1"],
  btrfs: ["mkfs.btrfs", "-q"],
};

export interface Mounted {
  readonly directory: string;
  unmount(): void;
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
    unmount: () => {
      execFileSync("umount", [directory], { stdio: "pipe" });
      rmSync(image);
    },
  };
};
