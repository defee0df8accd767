/** Fills opened files from the store, a bounded batch of bytes and descriptors at a time. */
import type { Extent, Frame } from "../entry.ts";
import type { ObjectStore } from "../object-store.ts";
import { fetchFrames } from "./fetch-frames.ts";
import type { FileTask } from "./file-task.ts";

const BATCH_BYTES = 64 * 2 ** 20;
const BATCH_FILES = 256;

export interface FillBatch {
  /** Queues the file's pieces, filling files on the way when the batch is full. */
  add(task: FileTask): Promise<void>;
  /** Every file added so far is complete. */
  flush(): Promise<void>;
  /** Closes files that will not be completed. */
  close(): void;
}

export interface FillBatchOptions {
  readonly store: ObjectStore;
  readonly prefix: string;
  readonly counts: { bytes: number; fetchedBytes: number };
  readonly onProgress: () => void;
}

interface Use {
  readonly task: FileTask;
  readonly piece: Extent;
}

export const openFillBatch = (options: FillBatchOptions, signal: AbortSignal): FillBatch => {
  const { counts } = options;
  let open: FileTask[] = [];
  let uses = new Map<string, { readonly frame: Frame; readonly uses: Use[] }>();
  let bytes = 0;
  const fill = async (): Promise<void> => {
    const wanted = uses;
    uses = new Map();
    bytes = 0;
    const frames = [...wanted.values()].map(({ frame }) => frame);
    const write = (frame: Frame, raw: Buffer): void => {
      for (const { task, piece } of wanted.get(nameOf(frame))?.uses ?? []) task.write(piece, raw);
    };
    const { fetchedBytes } = await fetchFrames(options, frames, write, signal);
    counts.fetchedBytes += fetchedBytes;
    options.onProgress();
  };
  const flush = async (): Promise<void> => {
    await fill();
    for (const task of open) {
      task.finish();
      counts.bytes += task.entry.size;
    }
    open = [];
    options.onProgress();
  };
  return {
    add: async (task) => {
      open.push(task);
      for (const piece of task.pieces) {
        const name = nameOf(piece.frame);
        const known = uses.get(name) ?? { frame: piece.frame, uses: [] };
        known.uses.push({ task, piece });
        uses.set(name, known);
        bytes += piece.length;
        if (bytes >= BATCH_BYTES) await fill();
      }
      if (open.length >= BATCH_FILES) await flush();
    },
    flush,
    close: () => {
      for (const task of open) task.abandon();
      open = [];
    },
  };
};

const nameOf = (frame: Frame): string => `${frame.pack} ${frame.offset}`;
