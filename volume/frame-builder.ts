/** Lays file data side by side in frames, so that small files compress together. */
import type { Frame } from "./entry.ts";
import { FRAME_BYTES } from "./frame.ts";
import { newFrame, type PackWriter, type PendingFrame } from "./pack-writer.ts";

export interface FrameBuilder {
  /** Copies the bytes into the current frame; they stand together in one frame. */
  append(bytes: Buffer): Promise<{ readonly frame: Frame; readonly frameOffset: number }>;
  /** Ends the current frame. */
  flush(): Promise<void>;
}

export const openFrameBuilder = (packs: PackWriter): FrameBuilder => {
  let frame: PendingFrame = newFrame();
  let parts: Buffer[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    if (bytes === 0) return;
    const full = frame;
    const raw = Buffer.concat(parts, bytes);
    frame = newFrame();
    parts = [];
    bytes = 0;
    await packs.add(full, raw);
  };
  return {
    append: async (data) => {
      if (bytes + data.length > FRAME_BYTES) await flush();
      const placed = { frame, frameOffset: bytes };
      parts.push(data);
      bytes += data.length;
      return placed;
    },
    flush,
  };
};
