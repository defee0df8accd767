/**
 * Fills opened files from the store: their pieces are gathered into batches, so that neighbours come in
 * one request, and some batches are on their way while the next files are opened. A file is finished
 * the moment its last piece is written, so that few stay open.
 */

import { DIGEST_BYTES } from "../block-digests.ts";
import type { Extent, Frame } from "../entry.ts";
import { sharedThreads } from "../threads/thread-pool.ts";
import {
  type FrameRange,
  type FrameSource,
  fetchRanges,
  openRequestSlots,
} from "./fetch-frames.ts";
import type { FileTask } from "./file-task.ts";

const BATCH_BYTES = 48 * 2 ** 20;
const BATCH_FILES = 1_024;
const BATCHES_MAX = 2;

export interface FillBatch {
  /** Queues the file's pieces. Waits only while too much is under way. */
  add(task: FileTask): Promise<void>;
  /** Sends what is gathered on its way; settles when every file added so far is complete. */
  flush(): Promise<void>;
  /** Waits for what is under way and closes files that will not be completed. */
  close(): Promise<void>;
}

export interface FillBatchOptions extends FrameSource {
  readonly counts: { bytes: number; fetchedBytes: number };
  readonly onProgress: () => void;
}

interface Use {
  readonly task: FileTask;
  readonly piece: Extent;
}

interface Batch {
  readonly frames: Map<string, { readonly frame: Frame; readonly uses: Use[] }>;
  bytes: number;
  files: number;
}

const emptyBatch = (): Batch => ({ frames: new Map(), bytes: 0, files: 0 });

export const openFillBatch = (options: FillBatchOptions, signal: AbortSignal): FillBatch => {
  const { counts } = options;
  /** Pieces that a file still waits for. */
  const missing = new Map<FileTask, number>();
  /** Bytes that are not fetched: in holes, or there already. They count when the file is finished. */
  const restBytes = ({ entry, pieces }: FileTask): number =>
    pieces.reduce((left, piece) => left - piece.length, entry.size);
  const slots = openRequestSlots();
  const running: Promise<void>[] = [];
  const underWay = new Set<Promise<void>>();
  let batch = emptyBatch();
  const finish = (task: FileTask): void => {
    missing.delete(task);
    task.finish();
    counts.bytes += restBytes(task);
  };
  const noteWritten = ({ task, piece }: Use, digests: Uint8Array): void => {
    const left = (missing.get(task) ?? 0) - 1;
    missing.set(task, left);
    task.noteWritten(piece, digests);
    counts.bytes += piece.length;
    if (left === 0) finish(task);
  };
  const fill = async ({ frames }: Batch): Promise<void> => {
    const list = [...frames.values()].map(({ frame }) => frame);
    const use = async (range: FrameRange, bytes: Uint8Array): Promise<void> => {
      const usesOf = (frame: Frame) => frames.get(nameOf(frame))?.uses ?? [];
      const digests = await writeOut(options, range, bytes, usesOf);
      let at = 0;
      for (const one of range.frames.flatMap(usesOf)) {
        const { length, blockBytes } = one.task.useOf(one.piece);
        const end = at + Math.ceil(length / blockBytes) * DIGEST_BYTES;
        noteWritten(one, digests.subarray(at, end));
        at = end;
      }
      options.onProgress();
    };
    const { fetchedBytes } = await fetchRanges(options, list, { slots, use }, signal);
    counts.fetchedBytes += fetchedBytes;
  };
  const send = async (): Promise<void> => {
    if (batch.frames.size === 0) return;
    const work = fill(batch);
    // Seen by whoever awaits it; without this a failure would also be unhandled.
    work.catch(() => undefined);
    running.push(work);
    underWay.add(work);
    work.finally(() => underWay.delete(work)).catch(() => undefined);
    batch = emptyBatch();
    while (running.length > BATCHES_MAX) await running.shift();
  };
  return {
    add: async (task) => {
      missing.set(task, task.pieces.length);
      if (task.pieces.length === 0) finish(task);
      batch.files += 1;
      for (const piece of task.pieces) {
        const name = nameOf(piece.frame);
        const known = batch.frames.get(name) ?? { frame: piece.frame, uses: [] };
        known.uses.push({ task, piece });
        batch.frames.set(name, known);
        batch.bytes += piece.length;
        if (batch.bytes >= BATCH_BYTES) await send();
      }
      if (batch.files >= BATCH_FILES) await send();
    },
    flush: async () => {
      await send();
      await Promise.all(running);
    },
    close: async () => {
      // A descriptor that is closed while a thread writes to it could be another file's by then.
      await Promise.allSettled(underWay);
      for (const task of missing.keys()) task.abandon();
      missing.clear();
    },
  };
};

/** Verified, unpacked and written by a thread, which gives the digests of all pieces' blocks. */
const writeOut = (
  { prefix, keys }: FrameSource,
  range: FrameRange,
  bytes: Uint8Array,
  usesOf: (frame: Frame) => readonly Use[],
): Promise<Uint8Array> => {
  const frames = range.frames.map((frame) => ({
    frame,
    start: frame.offset - range.offset,
    uses: usesOf(frame).map(({ task, piece }) => task.useOf(piece)),
  }));
  const work = range.frames.reduce((sum, { rawBytes }) => sum + rawBytes, 0);
  const { buffer } = bytes;
  const isOwn = buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength;
  return sharedThreads.run<"fill-files">(
    { kind: "fill-files", prefix, keys, bytes, frames },
    work,
    isOwn ? [buffer] : [],
  );
};

const nameOf = (frame: Frame): string => `${frame.pack} ${frame.offset}`;
