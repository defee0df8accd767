/** Writes buffers one after another to where the descriptor is, without laying them together first. */
import { writevSync } from "node:fs";

/** So many are taken by the system in one call (IOV_MAX). */
const PARTS_AT_ONCE = 1_024;

export const writeParts = (fd: number, parts: readonly Buffer[]): void => {
  for (let at = 0; at < parts.length; at += PARTS_AT_ONCE) {
    let left = parts.slice(at, at + PARTS_AT_ONCE);
    while (left.length > 0) left = withoutFirst(left, writevSync(fd, left));
  }
};

const withoutFirst = (parts: readonly Buffer[], bytes: number): Buffer[] => {
  let done = bytes;
  return parts.flatMap((part) => {
    const written = Math.min(done, part.length);
    done -= written;
    return written === part.length ? [] : [part.subarray(written)];
  });
};
