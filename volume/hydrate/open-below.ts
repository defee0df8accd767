/** Reaches an object below a root component by component, so that no link can lead out of it. */
import { closeSync, constants, openSync } from "node:fs";
import { throughFd } from "../scan/through-fd.ts";
import { splitPath } from "./budget.ts";

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** Calls `use` with a path to the object through its parent's descriptor, valid for the call. */
export const withParentOf = <T>(root: string, path: Buffer, use: (at: Buffer) => T): T => {
  const parts = splitPath(path);
  const name = parts.pop() ?? Buffer.from(".");
  let fd = openSync(root, DIRECTORY);
  try {
    for (const part of parts) {
      const next = openSync(throughFd(fd, part), DIRECTORY);
      closeSync(fd);
      fd = next;
    }
    return use(throughFd(fd, name));
  } finally {
    closeSync(fd);
  }
};
