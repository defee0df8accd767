/** Translates what the kernel refuses into what a caller can act on, once, where work ends. */
import { BagageError, TerminalError } from "./errors.ts";

/** A full disk or quota: room must be made first. */
const FULL = new Set(["ENOSPC", "EDQUOT"]);

/**
 * The error with its code and a hint, when it is a system call's; any other error as it is. An
 * unreadable path is a failure that names it: a snapshot that leaves out what it could not read is none.
 */
export const translateSystemError = (error: unknown, doing: string): unknown => {
  if (!(error instanceof Error) || error instanceof BagageError) return error;
  const code = "code" in error ? error.code : undefined;
  if (typeof code !== "string" || !/^E[A-Z0-9]+$/.test(code)) return error;
  if (FULL.has(code)) {
    return new TerminalError(`${doing}: the disk is full`, {
      code: "disk-full",
      hint: "make room on the node's disk, or raise the quota; nothing else was changed",
      data: { errno: code },
      cause: error,
    });
  }
  return new TerminalError(`${doing}: ${error.message}`, {
    code: "file-system-failed",
    hint: "check that the node runs as root, and the health of the file system",
    data: { errno: code },
    cause: error,
  });
};
