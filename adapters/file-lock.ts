/**
 * An exclusive lock that the kernel gives up when its holder dies, however it dies: flock(2) on an
 * open file. A lock file with a pid in it would outlive a kill -9 and need guessing afterwards.
 */
import { type FileHandle, mkdir, open, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { getSystemErrorName } from "node:util";
import koffi from "koffi";
import { TerminalError } from "../volume/errors.ts";

export interface FileLock {
  release(): Promise<void>;
}

/** <sys/file.h>: exclusive, and fail instead of waiting. */
const LOCK_EX = 2;
const LOCK_NB = 4;

const flock = koffi.load(null).func("int flock(int fd, int operation)");

/**
 * Takes the lock or throws a TerminalError (`lock-held`, `data.pid` when it can be told). The
 * descriptor is close-on-exec, so no child process keeps the lock alive.
 */
export const acquireFileLock = async (path: string): Promise<FileLock> => {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await open(path, "a+", 0o600);
  if (flock(file.fd, LOCK_EX | LOCK_NB) !== 0) {
    const errno = koffi.errno();
    await file.close();
    throw await lockError(path, errno);
  }
  await recordHolder(file);
  return { release: () => file.close() };
};

/** For people who look at the file; the lock itself does not depend on it. */
const recordHolder = async (file: FileHandle): Promise<void> => {
  await file.truncate(0);
  await file.write(`${process.pid}\n`);
};

const lockError = async (path: string, errno: number): Promise<TerminalError> => {
  const name = getSystemErrorName(-errno);
  if (name !== "EAGAIN") {
    return new TerminalError(`can't lock ${path}: ${name}`, {
      code: "lock-failed",
      hint: "keep the state directory on a local file system that supports flock",
    });
  }
  const text = (await readFile(path, "utf8").catch(() => "")).trim();
  const pid = /^\d+$/.test(text) ? Number(text) : null;
  return new TerminalError(`${path} is locked by process ${pid ?? "unknown"}`, {
    code: "lock-held",
    hint: `another agent runs on this node; stop it first${pid === null ? "" : ` (pid ${pid})`}`,
    data: { path, pid },
  });
};
