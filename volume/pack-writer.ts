/**
 * Collects frames into packs and uploads them: threads hash and compress some frames and some packs
 * are on their way while the next bytes are read. Never more than the bounds below are in memory, and
 * the same memory is used again, because fresh pages cost more than the copies.
 */
import { DIGEST_BYTES } from "./block-digests.ts";
import { sha256 } from "./digest.ts";
import type { Frame } from "./entry.ts";
import { FRAME_BYTES, FRAME_BYTES_MAX } from "./frame.ts";
import type { HashedRun } from "./frame-builder.ts";
import { objectKey, packName } from "./keys.ts";
import type { ObjectStore } from "./object-store.ts";
import { type DataKey, framePlace, SEAL_BYTES, seal } from "./sealing.ts";
import type { EncodedFrame } from "./threads/jobs.ts";
import { sharedThreads } from "./threads/thread-pool.ts";

export const PACK_BYTES = 16 * 2 ** 20;
/** A pack is sent when it is full, so that a frame always fits. */
const PACK_ROOM_BYTES = PACK_BYTES + FRAME_BYTES_MAX + SEAL_BYTES;
/** Most deltas fit into this, and to get a large one takes longer than to fill a small one. */
const FIRST_ROOM_BYTES = FRAME_BYTES_MAX + SEAL_BYTES;
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

export interface FilledFrame {
  /** Its place is filled in later: see PendingFrame. */
  readonly frame: PendingFrame;
  /** From `takeSlab`; it must not be touched any more. */
  readonly slab: Buffer;
  readonly rawBytes: number;
  readonly runs: readonly HashedRun[];
}

export interface PackWriter {
  /** Room for a frame's raw bytes. */
  takeSlab(bytes: number): Buffer;
  /** Waits only while too much is under way. */
  add(filled: FilledFrame): Promise<void>;
  /** Every frame added so far has its place, and its digests are told. */
  settle(): Promise<void>;
  /** Every pack is stored. Call once, last. */
  finish(): Promise<{ readonly packs: ReadonlyMap<string, number>; readonly storedBytes: number }>;
}

export const openPackWriter = (options: PackWriterOptions, signal: AbortSignal): PackWriter => {
  const { prefix, epoch, attempt, key } = options;
  const packs = new Map<string, number>();
  const uploader = openUploader(options, signal);
  const slabs = openSlabs();
  let compressions: Promise<void>[] = [];
  let pack: Buffer | null = null;
  let packBytes = 0;
  let placed = Promise.resolve();
  let storedBytes = 0;

  const flush = async (): Promise<void> => {
    if (pack === null) return;
    const name = packName(epoch, attempt, packs.size);
    const full = { pack, bytes: packBytes };
    packs.set(name, packBytes);
    pack = null;
    packBytes = 0;
    await uploader.send(objectKey(prefix, name), full);
  };
  /** Frames take their places in the order they were added, whichever is compressed first. */
  const place = async ({ frame, slab, rawBytes, runs }: FilledFrame, encoding: Encoding) => {
    const encoded = await encoding;
    pack ??= uploader.takePack(packs.size === 0);
    frame.pack = packName(epoch, attempt, packs.size);
    frame.offset = packBytes;
    frame.rawBytes = rawBytes;
    const room = encoded.codec === "raw" ? slab : roomOf(slab);
    const plain = room.subarray(0, encoded.storedBytes);
    const place = framePlace(objectKey(prefix, frame.pack), frame.offset);
    const stored = key === null ? plain : seal(key, place, plain);
    frame.storedBytes = stored.length;
    frame.codec = key === null ? encoded.codec : `sealed-${encoded.codec}`;
    frame.digest = key === null ? encoded.digest : sha256(stored);
    pack = uploader.makeRoom(pack, packBytes, stored.length);
    pack.set(stored, packBytes);
    slabs.giveBack(slab);
    packBytes += stored.length;
    storedBytes += stored.length;
    tellDigests(runs, encoded.blocks);
    if (packBytes >= PACK_BYTES) await flush();
  };
  const settle = async (): Promise<void> => {
    await placed;
    compressions = [];
    uploader.check();
  };
  return {
    takeSlab: (bytes) => slabs.take(bytes),
    add: async (filled) => {
      const encoding = encode(filled);
      placed = placed.then(() => place(filled, encoding));
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
      await uploader.finish();
      return { packs, storedBytes };
    },
  };
};

type Encoding = Promise<EncodedFrame>;

const encode = ({ slab, rawBytes, runs }: FilledFrame): Encoding => {
  const encoding = sharedThreads.run<"encode-frame">(
    {
      kind: "encode-frame",
      raw: slab.subarray(0, rawBytes),
      room: roomOf(slab),
      runs: runs.map(({ offset, length, blockBytes }) => ({ offset, length, blockBytes })),
    },
    rawBytes,
  );
  encoding.catch(() => undefined);
  return encoding;
};

const tellDigests = (runs: readonly HashedRun[], digests: Uint8Array): void => {
  let at = 0;
  for (const { length, blockBytes, use } of runs) {
    const end = at + Math.ceil(length / blockBytes) * DIGEST_BYTES;
    use(digests.subarray(at, end));
    at = end;
  }
};

/** Memory that all threads see, for a frame's raw bytes and as much for its compressed ones. */
const openSlabs = () => {
  const free: Buffer[] = [];
  return {
    take: (bytes: number): Buffer => {
      const isUsual = bytes <= FRAME_BYTES;
      const known = isUsual ? free.pop() : undefined;
      const room = isUsual ? FRAME_BYTES : bytes;
      return known ?? Buffer.from(new SharedArrayBuffer(2 * room), 0, room);
    },
    giveBack: (slab: Buffer): void => {
      if (slab.length === FRAME_BYTES) free.push(slab);
    },
  };
};

const roomOf = (slab: Buffer): Buffer => Buffer.from(slab.buffer, slab.length, slab.length);

const sharedBuffer = (bytes: number): Buffer => Buffer.from(new SharedArrayBuffer(bytes));

/** Packs on their way, and their memory. */
const openUploader = ({ store, onStored }: PackWriterOptions, signal: AbortSignal) => {
  const uploads = new Set<Promise<void>>();
  const free: Buffer[] = [];
  let failure: { readonly error: unknown } | null = null;
  const check = (): void => {
    if (failure !== null) throw failure.error;
  };
  const upload = async (key: string, pack: Buffer, bytes: number): Promise<void> => {
    const body = pack.subarray(0, bytes);
    const contentMd5 = await sharedThreads.run<"digest-pack">(
      { kind: "digest-pack", bytes: body },
      bytes,
    );
    await store.put(key, body, { ifAbsent: false, contentMd5 }, signal);
    if (pack.length === PACK_ROOM_BYTES) free.push(pack);
    onStored(bytes);
  };
  return {
    check,
    takePack: (isFirst: boolean): Buffer =>
      isFirst ? sharedBuffer(FIRST_ROOM_BYTES) : (free.pop() ?? sharedBuffer(PACK_ROOM_BYTES)),
    /** The pack, or one with the same `used` bytes that so many more fit into. */
    makeRoom: (pack: Buffer, used: number, bytes: number): Buffer => {
      if (used + bytes <= pack.length) return pack;
      const larger = sharedBuffer(PACK_ROOM_BYTES);
      larger.set(pack.subarray(0, used));
      return larger;
    },
    /** Waits only while too many are on their way. */
    send: async (key: string, { pack, bytes }: { pack: Buffer; bytes: number }): Promise<void> => {
      while (uploads.size >= UPLOADS_MAX) await Promise.race(uploads);
      check();
      const tracked = upload(key, pack, bytes)
        .catch((error: unknown) => {
          failure ??= { error };
        })
        .finally(() => uploads.delete(tracked));
      uploads.add(tracked);
    },
    finish: async (): Promise<void> => {
      await Promise.all(uploads);
      check();
    },
  };
};
