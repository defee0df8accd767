/** The bytes of one file of a snapshot, in order: for `cat` and `cp`, without hydrating the volume. */
import type { Extent, FileEntry, Frame } from "./entry.ts";
import { type FrameSource, fetchFrames } from "./hydrate/fetch-frames.ts";

/** Holes come as runs of zeros of at most this size. */
const ZEROS = Buffer.alloc(2 ** 20);
/** File bytes fetched at a time. */
const BATCH_BYTES = 32 * 2 ** 20;

/**
 * Yields the file's content from start to end, verified frame by frame. Throws TerminalError at the
 * first byte that can't be read as it was.
 */
export async function* readContent(
  source: FrameSource,
  file: FileEntry,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  let at = 0;
  for (const batch of batches(file.extents)) {
    const raws = new Map<string, Buffer>();
    const frames = [...new Map(batch.map(({ frame }) => [nameOf(frame), frame])).values()];
    await fetchFrames(source, frames, (frame, raw) => raws.set(nameOf(frame), raw), signal);
    for (const { offset, length, frame, frameOffset } of batch) {
      yield* zeros(offset - at);
      const raw = raws.get(nameOf(frame)) ?? Buffer.alloc(0);
      yield raw.subarray(frameOffset, frameOffset + length);
      at = offset + length;
    }
  }
  yield* zeros(file.size - at);
}

function* zeros(length: number): Generator<Buffer> {
  for (let left = length; left > 0; left -= ZEROS.length) {
    yield ZEROS.subarray(0, Math.min(left, ZEROS.length));
  }
}

function* batches(extents: readonly Extent[]): Generator<Extent[]> {
  let batch: Extent[] = [];
  let bytes = 0;
  for (const extent of extents) {
    batch.push(extent);
    bytes += extent.length;
    if (bytes < BATCH_BYTES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

const nameOf = ({ pack, offset }: Frame): string => `${pack} ${offset}`;
