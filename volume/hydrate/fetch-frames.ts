/** Fetches the frames that a batch of files needs: neighbours in one request, several at once. */
import type { Frame } from "../entry.ts";
import { RetryableError, TerminalError } from "../errors.ts";
import { decodeFrame, FRAME_BYTES_MAX } from "../frame.ts";
import { objectKey } from "../keys.ts";
import type { ObjectStore } from "../object-store.ts";
import type { DataKeys } from "../sealing.ts";

/** A gap this small costs less than a request of its own. */
const GAP_BYTES_MAX = 128 * 1_024;
const RANGE_BYTES_MAX = 8 * 2 ** 20;
const REQUESTS_MAX = 8;
const TRIES_MAX = 3;

interface Range {
  readonly pack: string;
  readonly offset: number;
  length: number;
  readonly frames: Frame[];
}

/** Where frames come from: a volume, and the keys to what is sealed in it. */
export interface FrameSource {
  readonly store: ObjectStore;
  readonly prefix: string;
  readonly keys?: DataKeys | undefined;
}

/** Calls `use` with each frame's raw bytes, in no particular order, as they arrive. */
export const fetchFrames = async (
  source: FrameSource,
  frames: readonly Frame[],
  use: (frame: Frame, raw: Buffer) => void,
  signal: AbortSignal,
): Promise<{ readonly fetchedBytes: number }> => {
  const ranges = coalesce(frames);
  let fetchedBytes = 0;
  const work = async (): Promise<void> => {
    for (let range = ranges.shift(); range !== undefined; range = ranges.shift()) {
      const bytes = await fetchRange(source, range, signal);
      fetchedBytes += bytes.length;
      for (const frame of range.frames) {
        const start = frame.offset - range.offset;
        const stored = bytes.subarray(start, start + frame.storedBytes);
        use(frame, await decodeFrame(frame, stored, source));
      }
    }
  };
  const workers = await Promise.allSettled(Array.from({ length: REQUESTS_MAX }, work));
  for (const worker of workers) if (worker.status === "rejected") throw worker.reason;
  return { fetchedBytes };
};

const coalesce = (frames: readonly Frame[]): Range[] => {
  const sorted = [...frames].sort((a, b) =>
    a.pack === b.pack ? a.offset - b.offset : a.pack < b.pack ? -1 : 1,
  );
  const ranges: Range[] = [];
  for (const frame of sorted) {
    if (frame.rawBytes > FRAME_BYTES_MAX || frame.storedBytes > FRAME_BYTES_MAX) {
      throw new TerminalError(`pack ${frame.pack}: a frame of ${frame.rawBytes} bytes`, {
        code: "frame-too-large",
      });
    }
    const last = ranges.at(-1);
    const length = last === undefined ? 0 : frame.offset + frame.storedBytes - last.offset;
    const joins =
      last !== undefined &&
      last.pack === frame.pack &&
      frame.offset - (last.offset + last.length) <= GAP_BYTES_MAX &&
      length <= RANGE_BYTES_MAX;
    if (joins) {
      last.length = Math.max(last.length, length);
      last.frames.push(frame);
    } else {
      const { pack, offset, storedBytes } = frame;
      ranges.push({ pack, offset, length: storedBytes, frames: [frame] });
    }
  }
  return ranges;
};

const fetchRange = async (
  { store, prefix }: FrameSource,
  { pack, offset, length }: Range,
  signal: AbortSignal,
): Promise<Uint8Array> => {
  for (let tries = 1; ; tries += 1) {
    try {
      const bytes = await store.get(objectKey(prefix, pack), signal, { offset, length });
      if (bytes === null) throw missing(pack, "is missing");
      if (bytes.length !== length) throw missing(pack, "is cut short");
      return bytes;
    } catch (error) {
      if (!(error instanceof RetryableError) || tries >= TRIES_MAX) throw error;
    }
  }
};

const missing = (pack: string, what: string): TerminalError =>
  new TerminalError(`pack ${pack} ${what}`, {
    code: "pack-missing",
    hint: "hydrate another snapshot, and verify the volume",
    data: { pack },
  });
