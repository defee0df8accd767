/** Fetches the frames that a batch of files needs: neighbours in one request, several at once. */
import pLimit, { type LimitFunction } from "p-limit";
import { allEnded } from "../all-ended.ts";
import type { Frame } from "../entry.ts";
import { RetryableError, TerminalError } from "../errors.ts";
import { decodeFrame, FRAME_BYTES_MAX } from "../frame.ts";
import { objectKey } from "../keys.ts";
import type { ObjectStore } from "../object-store.ts";
import type { DataKeys } from "../sealing.ts";

/** A gap this small costs less than a request of its own. */
const GAP_BYTES_MAX = 128 * 1_024;
const RANGE_BYTES_MAX = 4 * 2 ** 20;
/** What one thread unpacks and writes at a time, however well it was compressed. */
const RANGE_RAW_BYTES_MAX = 8 * 2 ** 20;
const REQUESTS_MAX = 6;
const TRIES_MAX = 3;

/** Frames that stand together in a pack. */
export interface FrameRange {
  readonly pack: string;
  readonly offset: number;
  readonly length: number;
  readonly frames: readonly Frame[];
}

type GrowingRange = Omit<FrameRange, "length" | "frames"> & {
  length: number;
  rawBytes: number;
  frames: Frame[];
};

/** Where frames come from: a volume, and the keys to what is sealed in it. */
export interface FrameSource {
  readonly store: ObjectStore;
  readonly prefix: string;
  readonly keys?: DataKeys | undefined;
}

/** Calls `use` with each frame's raw bytes, in no particular order, as they arrive. */
export const fetchFrames = (
  source: FrameSource,
  frames: readonly Frame[],
  use: (frame: Frame, raw: Buffer) => void,
  signal: AbortSignal,
): Promise<{ readonly fetchedBytes: number }> =>
  fetchRanges(
    source,
    frames,
    {
      slots: openRequestSlots(),
      use: async (range, bytes) => {
        for (const frame of range.frames) {
          const start = frame.offset - range.offset;
          const stored = bytes.subarray(start, start + frame.storedBytes);
          use(frame, decodeFrame(frame, stored, source));
        }
      },
    },
    signal,
  );

/**
 * Calls `use` with each run of frames as it is stored, unverified, and waits for it; some at once.
 * Whether it succeeds or fails, nothing of it goes on after it has settled.
 */
export const fetchRanges = async (
  source: FrameSource,
  frames: readonly Frame[],
  { slots, use }: RangeUse,
  signal: AbortSignal,
): Promise<{ readonly fetchedBytes: number }> => {
  let fetchedBytes = 0;
  let isFailed = false;
  const fetchOne = async (range: FrameRange): Promise<void> => {
    if (isFailed) return;
    const bytes = await fetchRange(source, range, signal);
    fetchedBytes += bytes.length;
    await use(range, bytes);
  };
  const fetching = coalesce(frames).map((range) =>
    slots(() => fetchOne(range)).catch((error: unknown) => {
      isFailed = true;
      throw error;
    }),
  );
  await allEnded(fetching);
  return { fetchedBytes };
};

export interface RangeUse {
  /** Bounds the requests, and so the memory, of all that share it. */
  readonly slots: RequestSlots;
  readonly use: (range: FrameRange, bytes: Uint8Array) => Promise<void>;
}

export type RequestSlots = LimitFunction;

export const openRequestSlots = (): RequestSlots => pLimit(REQUESTS_MAX);

const coalesce = (frames: readonly Frame[]): FrameRange[] => {
  const sorted = [...frames].sort((a, b) =>
    a.pack === b.pack ? a.offset - b.offset : a.pack < b.pack ? -1 : 1,
  );
  const ranges: GrowingRange[] = [];
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
      length <= RANGE_BYTES_MAX &&
      last.rawBytes + frame.rawBytes <= RANGE_RAW_BYTES_MAX;
    if (joins) {
      last.length = Math.max(last.length, length);
      last.rawBytes += frame.rawBytes;
      last.frames.push(frame);
    } else {
      const { pack, offset, storedBytes, rawBytes } = frame;
      ranges.push({ pack, offset, length: storedBytes, rawBytes, frames: [frame] });
    }
  }
  return ranges;
};

const fetchRange = async (
  { store, prefix }: FrameSource,
  { pack, offset, length }: FrameRange,
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
