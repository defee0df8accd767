/**
 * A new file on its way: planned now, written by the thread that gets its bytes. Thousands are on their
 * way at a time, so each is only what can't be derived.
 */
import { blockBytesOf, createBlockDigests, DIGEST_BYTES } from "../block-digests.ts";
import type { Extent, FileEntry, Frame } from "../entry.ts";
import type { FileIdentity } from "../file-identity.ts";
import type { IndexedEntry } from "../local-index.ts";
import { CLONE_BYTES_MIN } from "../scan/clones.ts";
import type { Place } from "./directory-stack.ts";

export interface NewFileTask {
  readonly entry: FileEntry;
  readonly frame: Frame;
  readonly directoryFd: number;
  /** Lets go of the directory. */
  readonly release: () => void;
  identity: FileIdentity | null;
  /** Of its blocks, one extent after another; empty: it is still to be written. */
  digests: Buffer;
}

const NONE = Buffer.alloc(0);

/** Null: its bytes come in several frames, or something must happen beside writing it. */
export const planNewFile = (entry: FileEntry, place: Place): NewFileTask | null => {
  const [first] = entry.extents;
  if (first === undefined || entry.size >= CLONE_BYTES_MIN) return null;
  const { frame } = first;
  if (!entry.extents.every((extent) => extent.frame === frame)) return null;
  const { directoryFd } = place;
  return { entry, frame, directoryFd, release: place.hold(), identity: null, digests: NONE };
};

/** Size of the digests of its blocks, all extents together. */
export const digestBytesOf = ({ entry }: NewFileTask): number => {
  const blockBytes = blockBytesOf(entry.size);
  return entry.extents.reduce((sum, extent) => sum + digestBytes(extent, blockBytes), 0);
};

export const newFileResult = ({ entry, identity, digests }: NewFileTask): IndexedEntry => {
  const blocks = createBlockDigests();
  const blockBytes = blockBytesOf(entry.size);
  let at = 0;
  for (const extent of entry.extents) {
    const end = at + digestBytes(extent, blockBytes);
    blocks.setRun(extent.offset / blockBytes, digests.subarray(at, end));
    at = end;
  }
  return { entry, identity, blocks, clone: null };
};

const digestBytes = ({ length }: Extent, blockBytes: number): number =>
  Math.ceil(length / blockBytes) * DIGEST_BYTES;
