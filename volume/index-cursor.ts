/** Walks the entries of an index in step with a sorted walk of the disk or of another tree. */
import { comparePaths } from "./entry.ts";
import type { IndexedEntry, IndexReader, ReadSegment } from "./local-index.ts";

export interface FoundEntry extends IndexedEntry {
  readonly segment: ReadSegment;
}

export interface IndexCursor {
  /** The entry at the path, or null; entries before it are passed over for good. */
  seek(path: Buffer): Promise<FoundEntry | null>;
  /** Entries passed over or still to come that no seek has asked for. */
  onSkipped(handle: (entry: IndexedEntry) => void): void;
  /** Passes over whatever is left. */
  drain(): Promise<void>;
}

export const openCursor = (index: IndexReader | null): IndexCursor => {
  const segments = index?.segments() ?? null;
  let segment: ReadSegment | null = null;
  let at = 0;
  let skipped: (entry: IndexedEntry) => void = () => undefined;
  const peek = async (): Promise<IndexedEntry | null> => {
    while (segments !== null) {
      const entry = segment?.entries[at];
      if (entry !== undefined) return entry;
      const next = await segments.next();
      if (next.done === true) return null;
      segment = next.value;
      at = 0;
    }
    return null;
  };
  return {
    seek: async (path) => {
      for (;;) {
        // Most calls find the entry in the segment at hand; only a new segment is worth a wait.
        const entry = segment?.entries[at] ?? (await peek());
        if (entry === null || segment === null) return null;
        const order = comparePaths(entry.entry.path, path);
        if (order > 0) return null;
        at += 1;
        if (order === 0) return { ...entry, segment };
        skipped(entry);
      }
    },
    onSkipped: (handle) => {
      skipped = handle;
    },
    drain: async () => {
      for (let entry = await peek(); entry !== null; entry = await peek()) {
        skipped(entry);
        at += 1;
      }
    },
  };
};
