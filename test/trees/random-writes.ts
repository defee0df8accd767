/**
 * Changes of one large file: writes, zeros, holes, cuts, in units that respect no block, and what it was
 * at one time brought back by reflink, which shares blocks again that were no longer its own.
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, existsSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import * as fc from "fast-check";
import { linuxFileSystem } from "../../adapters/linux.ts";

export type Writes = readonly { offset: number; bytes: number; kind: string }[];

export const anyWrites = (fileBytes: number): fc.Arbitrary<Writes> =>
  fc.array(
    fc.record({
      offset: fc.nat(fileBytes),
      bytes: fc.integer({ min: 1, max: 30_000 }),
      kind: fc.constantFrom("write", "write", "write", "zero", "hole", "cut", "save", "bring back"),
    }),
    { minLength: 1, maxLength: 6 },
  );

/** `flags`: "w" for a file that is not there yet. */
export const applyWrites = (path: string, writes: Writes, flags: "r+" | "w" = "r+"): void => {
  const fd = openSync(path, flags);
  for (const { offset, bytes, kind } of writes) {
    if (kind === "write") writeSync(fd, randomBytes(bytes), 0, bytes, offset);
    if (kind === "zero") writeSync(fd, Buffer.alloc(bytes), 0, bytes, offset);
    if (kind === "hole") linuxFileSystem.punchHole(fd, offset, bytes);
    if (kind === "save") copyOver(path, savedBeside(path));
    if (kind === "bring back" && existsSync(savedBeside(path))) copyOver(savedBeside(path), path);
    if (kind === "cut") execFileSync("truncate", ["-s", String(offset), path]);
  }
  closeSync(fd);
};

/** Outside of the directory, which is the volume. */
const savedBeside = (path: string): string => `${dirname(path)}.saved`;

/** In place, as `cp --reflink` does: the file stays the same one. */
const copyOver = (from: string, to: string): void => {
  execFileSync("cp", ["--reflink=auto", from, to]);
};
