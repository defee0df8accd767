/** Walks the entries of an index in step with a sorted walk of the disk or of another tree. */
import { comparePaths } from "./entry.ts";
import type { FoundEntry, IndexReader, ReadSegment } from "./local-index.ts";

export interface IndexCursor {
  /** The entry at the path, or null; entries before it are passed over for good. */
  seek(path: Buffer): FoundEntry | null;
  /** Passes over whatever is left. */
  drain(): void;
}

/** Asks the cursors in turn. */
export const firstOf = (cursors: readonly IndexCursor[]): IndexCursor => ({
  seek: (path) => {
    const found = cursors.map((cursor) => cursor.seek(path));
    return found.find((entry) => entry !== null) ?? null;
  },
  drain: () => {
    for (const cursor of cursors) cursor.drain();
  },
});

export const openCursor = (index: IndexReader | null): IndexCursor => {
  const segments = index?.segments() ?? null;
  let segment: ReadSegment | null = null;
  let at = 0;
  const peek = (): FoundEntry | null => {
    while (segments !== null) {
      const entry = segment?.entries[at];
      if (entry !== undefined) return entry;
      const next = segments.next();
      if (next.done === true) return null;
      segment = next.value;
      at = 0;
    }
    return null;
  };
  return {
    seek: (path) => {
      for (;;) {
        const entry = peek();
        if (entry === null) return null;
        const order = comparePaths(entry.entry.path, path);
        if (order > 0) return null;
        at += 1;
        if (order === 0) return entry;
      }
    },
    drain: () => {
      while (peek() !== null) at = segment?.entries.length ?? 0;
    },
  };
};
