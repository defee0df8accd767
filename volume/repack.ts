/**
 * Moves what is left of old packs to fresh ones: packs of which little is still in use, and packs that
 * are small and many. Otherwise a hydrate needs hundreds of packs after as many deltas, and a byte that
 * is in use keeps a whole pack in the store. What is to be moved is read from the files as if it had
 * changed, so that a file that really changes meanwhile does no harm.
 */
import { type BlockDigests, blockBytesOf } from "./block-digests.ts";
import { sha256Bytes } from "./digest.ts";
import type { Extent } from "./entry.ts";
import { type FoundEntry, openIndex, type PackSizes } from "./local-index.ts";

/** Below this share of a pack in use its space is worth more than the move. */
const LIVE_SHARE_MIN = 0.5;
/** Of packs smaller than this so many may stand; more are put together. */
const SMALL_BYTES = 2 ** 20;
const SMALL_COUNT_MAX = 32;
/** Bytes that one snapshot moves at most: the rest is left to the next ones. */
export const REPACK_BYTES_MAX = 256 * 2 ** 20;

/** The packs of the index's snapshot whose data should move. Reads the index through. */
export const findPoorPacks = (indexFile: string): ReadonlySet<string> => {
  const index = openIndex(indexFile);
  if (index === null) return new Set();
  try {
    const live = new Map<string, number>();
    for (const { entries } of index.segments()) {
      for (const { entry } of entries) {
        if (entry.type !== "file") continue;
        for (const { frame, length } of entry.extents) {
          const bytes = (length / frame.rawBytes) * frame.storedBytes;
          live.set(frame.pack, (live.get(frame.pack) ?? 0) + bytes);
        }
      }
    }
    return choosePoorPacks(live, index.packs());
  } finally {
    index.close();
  }
};

/** `live`: stored bytes in use, by pack. The poorest come first, up to the bound. */
export const choosePoorPacks = (
  live: ReadonlyMap<string, number>,
  sizes: PackSizes,
): ReadonlySet<string> => {
  const packs = [...live].map(([name, bytes]) => {
    const size = Math.max(1, sizes.get(name) ?? 0);
    return { name, bytes, size, share: bytes / size };
  });
  const small = packs.filter(({ size }) => size < SMALL_BYTES);
  const isCrowded = small.length > SMALL_COUNT_MAX;
  const poor = packs
    .filter(({ size, share }) => share < LIVE_SHARE_MIN || (isCrowded && size < SMALL_BYTES))
    .sort((a, b) => a.share - b.share);
  const chosen = new Set<string>();
  let moved = 0;
  for (const { name, bytes } of poor) {
    moved += bytes;
    if (moved > REPACK_BYTES_MAX) break;
    chosen.add(name);
  }
  return chosen;
};

/** No block has this digest, so that every block that is given it counts as changed, zeros too. */
const NO_BLOCK = sha256Bytes(Buffer.from("bagage: a block whose data shall move"));

/** The entry as it is to be compared with: without what stands in these packs. */
export const withoutPacks = (
  old: FoundEntry | null,
  packs: ReadonlySet<string>,
): FoundEntry | null => {
  if (packs.size === 0 || old === null || old.entry.type !== "file") return old;
  const moved = old.entry.extents.filter(({ frame }) => packs.has(frame.pack));
  if (moved.length === 0) return old;
  const blocks = old.blocks === null ? null : forget(old.blocks, moved, old.entry.size);
  return { entry: old.entry, segment: old.segment, identity: null, blocks, clone: null };
};

const forget = (blocks: BlockDigests, moved: readonly Extent[], size: number): BlockDigests => {
  const forgotten = blocks.copy();
  const blockBytes = blockBytesOf(size);
  for (const { offset, length } of moved) {
    const end = Math.ceil((offset + length) / blockBytes);
    for (let index = Math.floor(offset / blockBytes); index < end; index += 1) {
      forgotten.set(index, NO_BLOCK);
    }
  }
  return forgotten;
};
