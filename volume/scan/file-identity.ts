/** What tells that a file is the same file, untouched: of an open file, and compared. */
import { fstatSync } from "node:fs";
import type { FileIdentity } from "../local-index.ts";

/** Of what is open, which may be of another kind than its name was when it was looked at. */
export const identityOf = (fd: number): OpenIdentity => {
  const stat = fstatSync(fd, { bigint: true });
  const { dev, ino, size, ctimeNs, mtimeNs, nlink } = stat;
  return { dev, ino, size, ctimeNs, mtimeNs, nlink, isFile: stat.isFile() };
};

export interface OpenIdentity extends FileIdentity {
  readonly nlink: bigint;
  readonly isFile: boolean;
}

export const sameIdentity = (a: FileIdentity, b: FileIdentity): boolean =>
  a.dev === b.dev &&
  a.ino === b.ino &&
  a.size === b.size &&
  a.ctimeNs === b.ctimeNs &&
  a.mtimeNs === b.mtimeNs;
