/** Lays file data side by side in frames, so that small files compress together. */
import type { Frame } from "./entry.ts";
import { FRAME_BYTES } from "./frame.ts";
import { newFrame, type PackWriter, type PendingFrame } from "./pack-writer.ts";
import type { BlockRun } from "./threads/jobs.ts";

export interface PlacedBytes {
  readonly frame: Frame;
  readonly frameOffset: number;
}

/** Digests of the blocks of some bytes that were put into a frame. */
export type UseDigests = (digests: Uint8Array) => void;

export interface FrameBuilder {
  /** Room for so many bytes (at most FRAME_BYTES) at the end of the frame; valid until the next wait. */
  room(length: number): Promise<Buffer>;
  /**
   * The next so many bytes of the room are filled and stay. Their blocks are hashed where the frame is
   * compressed, and `use` is told before `settle` returns.
   */
  take(length: number, blockBytes: number, use: UseDigests): PlacedBytes;
  /** Copies bytes whose digests are known into the frame; they stand together. */
  append(bytes: Buffer): Promise<PlacedBytes>;
  /** Ends the current frame; then all frames have their places and all digests are told. */
  settle(): Promise<void>;
}

export interface HashedRun extends BlockRun {
  readonly use: UseDigests;
}

export const openFrameBuilder = (packs: PackWriter): FrameBuilder => {
  let frame: PendingFrame = newFrame();
  let slab: Buffer | null = null;
  let runs: HashedRun[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    if (slab === null || bytes === 0) return;
    const full = { frame, slab, rawBytes: bytes, runs };
    frame = newFrame();
    slab = null;
    runs = [];
    bytes = 0;
    await packs.add(full);
  };
  const room = async (length: number): Promise<Buffer> => {
    if (bytes + length > FRAME_BYTES) await flush();
    if (slab === null || slab.length < bytes + length) slab = packs.takeSlab(length);
    return slab.subarray(bytes, bytes + length);
  };
  const place = (length: number): PlacedBytes => {
    const placed = { frame, frameOffset: bytes };
    bytes += length;
    return placed;
  };
  return {
    room,
    take: (length, blockBytes, use) => {
      runs.push({ offset: bytes, length, blockBytes, use });
      return place(length);
    },
    append: async (data) => {
      data.copy(await room(data.length));
      return place(data.length);
    },
    settle: async () => {
      await flush();
      await packs.settle();
    },
  };
};
