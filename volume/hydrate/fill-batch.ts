/**
 * Fills opened files from the store: their pieces are gathered into batches, so that neighbours come in
 * one request, and some batches are on their way while the next files are opened. A file is finished
 * the moment its last piece is written, so that few stay open.
 */

import type { Frame } from "../entry.ts";
import type { FileSystem } from "../file-system.ts";
import {
  type FrameRange,
  type FrameSource,
  fetchRanges,
  openRequestSlots,
} from "./fetch-frames.ts";
import type { FileTask } from "./file-task.ts";
import type { NewFileTask } from "./new-file-task.ts";
import { type FrameUse, rawBytesOf, type WantedFrame, writeRange } from "./write-range.ts";

const BATCH_BYTES = 48 * 2 ** 20;
const BATCH_FILES = 1_024;
const BATCHES_MAX = 2;

export interface FillBatch {
  /** Queues the file's pieces. Waits only while too much is under way. */
  add(task: FileTask): Promise<void>;
  /** Queues a file that is written as a whole. */
  addNew(task: NewFileTask): Promise<void>;
  /** Sends what is gathered on its way; settles when every file added so far is complete. */
  flush(): Promise<void>;
  /** Waits for what is under way and closes files that will not be completed. */
  close(): Promise<void>;
}

export interface FillBatchOptions extends FrameSource {
  readonly fileSystem: FileSystem;
  readonly counts: { bytes: number; fetchedBytes: number };
  readonly onWritten: (bytes: number) => void;
  readonly onMade: (task: NewFileTask) => void;
  readonly onProgress: () => void;
}

interface Batch {
  readonly frames: Map<string, WantedFrame>;
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
  const noteWritten = ({ task, piece }: FrameUse, digests: Uint8Array): void => {
    const left = (missing.get(task) ?? 0) - 1;
    missing.set(task, left);
    task.noteWritten(piece, digests);
    counts.bytes += piece.length;
    if (left === 0) finish(task);
  };
  const noteMade = (task: NewFileTask): void => {
    counts.bytes += task.entry.size;
    options.onMade(task);
  };
  const fill = async ({ frames }: Batch): Promise<void> => {
    const list = [...frames.values()].map(({ frame }) => frame);
    const use = async (range: FrameRange, bytes: Uint8Array): Promise<void> => {
      const wanted = range.frames.flatMap((frame) => frames.get(nameOf(frame)) ?? []);
      await writeRange(options, { range, bytes, wanted }, { noteWritten, noteMade });
      options.onWritten(rawBytesOf(range));
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
  const sendIfFull = async (): Promise<void> => {
    if (batch.bytes >= BATCH_BYTES || batch.files >= BATCH_FILES) await send();
  };
  return {
    add: async (task) => {
      missing.set(task, task.pieces.length);
      if (task.pieces.length === 0) finish(task);
      batch.files += 1;
      for (const piece of task.pieces) {
        wantedOf(batch, piece.frame, piece.length).uses.push({ task, piece });
        await sendIfFull();
      }
      await sendIfFull();
    },
    addNew: async (task) => {
      batch.files += 1;
      wantedOf(batch, task.frame, task.entry.size).newFiles.push(task);
      await sendIfFull();
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

/** The frame's place in the batch, which grows by so many bytes. */
const wantedOf = (batch: Batch, frame: Frame, bytes: number): WantedFrame => {
  const name = nameOf(frame);
  const wanted = batch.frames.get(name) ?? { frame, uses: [], newFiles: [] };
  batch.frames.set(name, wanted);
  batch.bytes += bytes;
  return wanted;
};

const nameOf = (frame: Frame): string => `${frame.pack} ${frame.offset}`;
