/** Runs tests on each file system that a volume may be on, mounted from a file. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe } from "vitest";
import { type FileSystemKind, type Mounted, mountFileSystem } from "../../bench/loop-mount.ts";

const IMAGE_BYTES = 400 * 2 ** 20;
const KINDS: readonly FileSystemKind[] = ["xfs", "btrfs", "ext4"];

const canMount = (): boolean => {
  try {
    execFileSync("mkfs.xfs", ["-V"], { stdio: "ignore" });
    return process.getuid?.() === 0;
  } catch {
    return false;
  }
};

/** `root` tells where it is mounted, once the tests run. */
export const onEachFileSystem = (
  declare: (kind: FileSystemKind, root: () => string) => void,
): void =>
  describe.skipIf(!canMount()).for(KINDS)("on %s", (kind) => {
    let scratch = "";
    let mounted: Mounted | null = null;
    beforeAll(() => {
      scratch = mkdtempSync(join(tmpdir(), "bagage-on-"));
      mounted = mountFileSystem(kind, scratch, IMAGE_BYTES);
    });
    afterAll(async () => {
      await mounted?.unmount();
      rmSync(scratch, { recursive: true, force: true });
    });
    declare(kind, () => mounted?.directory ?? scratch);
  });
