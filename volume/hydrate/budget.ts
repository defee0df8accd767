/** What a snapshot may ask for. A hostile one is refused before anything is allocated for it. */
import { SLASH } from "../entry.ts";
import { TerminalError } from "../errors.ts";
import type { Snapshot } from "../snapshot.ts";

export interface Budget {
  readonly entriesMax: number;
  readonly bytesMax: number;
  readonly pathBytesMax: number;
  readonly depthMax: number;
}

/** Linux's own limits for paths and names; a file system of 64 TiB with a billion files. */
export const HYDRATE_BUDGET: Budget = {
  entriesMax: 1_000_000_000,
  bytesMax: 64 * 2 ** 40,
  pathBytesMax: 4_096,
  depthMax: 512,
};

const NAME_BYTES_MAX = 255;
const DOT = 0x2e;

export const refuse = (what: string): TerminalError =>
  new TerminalError(`snapshot refused: ${what}`, {
    code: "snapshot-refused",
    hint: "it was not written by this program, or is damaged; nothing was written outside",
  });

export const checkSnapshot = (snapshot: Snapshot, budget: Budget): void => {
  const entries = snapshot.segments.reduce((sum, [, , , count]) => sum + count, 0);
  if (entries > budget.entriesMax) throw refuse(`${entries} entries`);
  if (snapshot.bytes > budget.bytesMax) throw refuse(`${snapshot.bytes} bytes`);
};

/** Components of a path below the root. Throws for any path that could lead elsewhere. */
export const splitPath = (path: Buffer, budget: Budget = HYDRATE_BUDGET): Buffer[] => {
  if (path.length === 0) return [];
  if (path.length > budget.pathBytesMax) throw refuse("a path longer than the file system allows");
  if (path.includes(0)) throw refuse("a path with NUL");
  const parts: Buffer[] = [];
  for (let start = 0; start <= path.length; ) {
    const slash = path.indexOf(SLASH, start);
    const end = slash < 0 ? path.length : slash;
    parts.push(path.subarray(start, end));
    start = end + 1;
  }
  for (const part of parts) {
    const isDots = part.length <= 2 && part.every((byte) => byte === DOT);
    if (part.length === 0 || isDots) throw refuse(`path ${JSON.stringify(path.toString())}`);
    if (part.length > NAME_BYTES_MAX) throw refuse("a name longer than 255 bytes");
  }
  if (parts.length > budget.depthMax) throw refuse(`directories ${parts.length} deep`);
  return parts;
};

export const refuseEntry = (path: Buffer, why: string): TerminalError =>
  refuse(`${JSON.stringify(path.toString())} ${why}`);
