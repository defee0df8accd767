/** Other ways to stand between an application and its files: a FUSE file system, and an overlay. */
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";

/** bindfs (Debian): shows a directory elsewhere, every call through a process. No passthrough. */
export const withFuse = <T>(directory: string, at: string, use: (path: string) => T): T => {
  mkdirSync(at, { recursive: true });
  execFileSync("bindfs", ["--multithreaded", directory, at], { stdio: "pipe" });
  try {
    return use(at);
  } finally {
    execFileSync("umount", [at], { stdio: "pipe" });
  }
};

export const withOverlay = <T>(directory: string, at: string, use: (path: string) => T): T => {
  const [upper, work, merged] = ["upper", "work", "merged"].map((name) => `${at}/${name}`);
  for (const path of [upper, work, merged]) mkdirSync(`${path}`, { recursive: true });
  const options = `lowerdir=${directory},upperdir=${upper},workdir=${work}`;
  execFileSync("mount", ["-t", "overlay", "overlay", "-o", options, `${merged}`]);
  try {
    return use(`${merged}`);
  } finally {
    execFileSync("umount", [`${merged}`], { stdio: "pipe" });
  }
};
