/** A new file on its way: described now, written by the thread that gets its bytes. */
import { blockBytesOf, createBlockDigests, DIGEST_BYTES } from "../block-digests.ts";
import type { Extent, FileEntry, Frame } from "../entry.ts";
import type { FileIdentity, IndexedEntry } from "../local-index.ts";
import { CLONE_BYTES_MIN } from "../scan/clones.ts";
import type { Place } from "./directory-stack.ts";
import { describeNewFile, type NewFile } from "./new-file.ts";

export interface NewFileTask {
  readonly entry: FileEntry;
  readonly file: NewFile;
  readonly frame: Frame;
  /** Size of the digests of its blocks, all runs together. */
  readonly digestBytes: number;
  /** It is there: this is what it is, and these are its blocks' digests. Its directory is let go. */
  noteWritten(identity: FileIdentity, digests: Uint8Array): void;
  /** Its identity is another since: it has a further name. */
  identify(identity: FileIdentity): void;
  result(): IndexedEntry;
}

/** Null: its bytes come in several frames, or something must happen beside writing it. */
export const planNewFile = (
  entry: FileEntry,
  place: Place,
  onWritten: () => void,
): NewFileTask | null => {
  const [first] = entry.extents;
  if (first === undefined || entry.size >= CLONE_BYTES_MIN) return null;
  if (!entry.extents.every(({ frame }) => frame === first.frame)) return null;
  const blockBytes = blockBytesOf(entry.size);
  const bytesOf = ({ length }: Extent): number => Math.ceil(length / blockBytes) * DIGEST_BYTES;
  const release = place.hold();
  let identity: FileIdentity | null = null;
  const blocks = createBlockDigests();
  return {
    entry,
    file: describeNewFile(entry, place.directoryFd),
    frame: first.frame,
    digestBytes: entry.extents.reduce((sum, extent) => sum + bytesOf(extent), 0),
    noteWritten: (found, digests) => {
      identity = found;
      let at = 0;
      for (const extent of entry.extents) {
        blocks.setRun(extent.offset / blockBytes, digests.subarray(at, at + bytesOf(extent)));
        at += bytesOf(extent);
      }
      onWritten();
      release();
    },
    identify: (found) => {
      identity = found;
    },
    result: () => ({ entry, identity, blocks, clone: null }),
  };
};
