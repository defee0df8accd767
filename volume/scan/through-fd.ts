/** Objects of an open directory, reached through its descriptor; and those that are there no more. */

export const throughFd = (fd: number, name?: Buffer): Buffer =>
  name === undefined
    ? Buffer.from(`/proc/self/fd/${fd}/.`)
    : Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), name]);

/** What vanished or changed its kind between listing and opening; the final pass is quiet. */
const GONE = new Set(["ENOENT", "ENOTDIR", "ELOOP"]);

export const isGone = (error: unknown): boolean =>
  GONE.has((error as NodeJS.ErrnoException).code ?? "");

/** Null: it is gone. */
export const unlessGone = <T>(call: () => T): T | null => {
  try {
    return call();
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
};
