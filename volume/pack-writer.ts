/**
 * Collects frames into packs and uploads them: compression of some frames and the upload of some
 * packs go on while the next bytes are read, and never more than the bounds below are in memory.
 */

import { sha256 } from "./digest.ts";
import type { Frame } from "./entry.ts";
import { encodeFrame } from "./frame.ts";
import { objectKey, packName } from "./keys.ts";
import type { ObjectStore } from "./object-store.ts";
import { type DataKey, framePlace, seal } from "./sealing.ts";

export const PACK_BYTES = 16 * 2 ** 20;
const COMPRESSIONS_MAX = 6;
const UPLOADS_MAX = 4;

export interface PackWriterOptions {
  readonly store: ObjectStore;
  readonly prefix: string;
  readonly epoch: number;
  readonly attempt: string;
  /** Seals every frame; null: they are stored as they are. */
  readonly key: DataKey | null;
  readonly onStored: (bytes: number) => void;
}

/** Fields are filled in when the frame has its place in a pack; read them after settle(). */
export type PendingFrame = { -readonly [K in keyof Frame]: Frame[K] };

export const newFrame = (): PendingFrame => ({
  pack: "",
  offset: 0,
  storedBytes: 0,
  rawBytes: 0,
  codec: "raw",
  digest: "",
});

export interface PackWriter {
  /** Takes over the buffer, whose place the frame will tell. Waits only while too much is under way. */
  add(frame: PendingFrame, raw: Buffer): Promise<void>;
  /** Every frame added so far has its place. */
  settle(): Promise<void>;
  /** Every pack is stored. Call once, last. */
  finish(): Promise<{ readonly packs: ReadonlyMap<string, number>; readonly storedBytes: number }>;
}

export const openPackWriter = (options: PackWriterOptions, signal: AbortSignal): PackWriter => {
  const { store, prefix, epoch, attempt, key, onStored } = options;
  const packs = new Map<string, number>();
  const uploads = new Set<Promise<void>>();
  let compressions: Promise<void>[] = [];
  let parts: Buffer[] = [];
  let partsBytes = 0;
  let placed = Promise.resolve();
  let storedBytes = 0;
  let failure: { readonly error: unknown } | null = null;

  const upload = async (name: string, body: Buffer): Promise<void> => {
    await store.put(objectKey(prefix, name), body, { ifAbsent: false }, signal);
    onStored(body.length);
  };
  const track = (work: Promise<void>): Promise<void> => {
    const tracked = work
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .finally(() => uploads.delete(tracked));
    uploads.add(tracked);
    return tracked;
  };
  const flush = async (): Promise<void> => {
    if (partsBytes === 0) return;
    const name = packName(epoch, attempt, packs.size);
    const body = Buffer.concat(parts, partsBytes);
    packs.set(name, body.length);
    parts = [];
    partsBytes = 0;
    while (uploads.size >= UPLOADS_MAX) await Promise.race(uploads);
    if (failure !== null) throw failure.error;
    track(upload(name, body));
  };
  /** Frames take their places in the order they were added, whichever is compressed first. */
  const place = async (frame: PendingFrame, encoding: ReturnType<typeof encodeFrame>) => {
    const encoded = await encoding;
    frame.pack = packName(epoch, attempt, packs.size);
    frame.offset = partsBytes;
    const place = framePlace(objectKey(prefix, frame.pack), frame.offset);
    const stored = key === null ? encoded.stored : seal(key, place, encoded.stored);
    frame.storedBytes = stored.length;
    frame.codec = key === null ? encoded.codec : `sealed-${encoded.codec}`;
    frame.digest = sha256(stored);
    parts.push(stored);
    partsBytes += stored.length;
    storedBytes += stored.length;
    if (partsBytes >= PACK_BYTES) await flush();
  };
  const settle = async (): Promise<void> => {
    await placed;
    compressions = [];
    if (failure !== null) throw failure.error;
  };
  return {
    add: async (frame, raw) => {
      frame.rawBytes = raw.length;
      const encoding = encodeFrame(raw);
      placed = placed.then(() => place(frame, encoding));
      // The rejection is seen by whoever awaits `placed`; without this it would also be unhandled.
      placed.catch(() => undefined);
      compressions.push(placed);
      if (compressions.length >= COMPRESSIONS_MAX) await compressions.shift();
      signal.throwIfAborted();
    },
    settle,
    finish: async () => {
      await settle();
      await flush();
      await Promise.all(uploads);
      if (failure !== null) throw failure.error;
      return { packs, storedBytes };
    },
  };
};
