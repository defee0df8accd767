/** Frames: compressed where it pays, verified before anything decompresses them. */
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { sha256 } from "./digest.ts";
import type { Frame } from "./entry.ts";
import { TerminalError } from "./errors.ts";
import { objectKey } from "./keys.ts";
import { type DataKeys, framePlace, NO_KEYS, unseal } from "./sealing.ts";

/** Raw bytes of a full frame. */
export const FRAME_BYTES = 2 ** 20;
/** No honest frame is larger; a snapshot that claims one is refused before allocation. */
export const FRAME_BYTES_MAX = 4 * 2 ** 20;
const LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
const SAMPLE_BYTES = 16_384;
/** zstd wants a little more room than the result, and zlib at least 64 bytes. */
const CHUNK_SPARE_BYTES = 16_384;
/** What shrinks less than this is stored as it is: a core is worth more than 3 % of a disk. */
const WORTH_RATIO = 0.97;

/** How the bytes are laid down, before anything seals them. */
export type Encoding = "raw" | "zstd";

/** Compresses unless a sample from the middle says that it won't shrink. Costs a processor. */
export const encodeFrame = (raw: Buffer): { stored: Buffer; codec: Encoding } => {
  if (raw.length > 4 * SAMPLE_BYTES) {
    const middle = (raw.length >> 1) - SAMPLE_BYTES / 2;
    const sample = zstdCompressSync(raw.subarray(middle, middle + SAMPLE_BYTES), LEVEL);
    if (sample.length > SAMPLE_BYTES * WORTH_RATIO) return { stored: raw, codec: "raw" };
  }
  // One chunk for the whole result: each further one costs a turn of the event loop and a copy.
  const stored = zstdCompressSync(raw, { ...LEVEL, chunkSize: raw.length + CHUNK_SPARE_BYTES });
  return stored.length < raw.length * WORTH_RATIO
    ? { stored, codec: "zstd" }
    : { stored: raw, codec: "raw" };
};

/** The frame's raw bytes. Throws TerminalError when they are not what the tree says. */
export const decodeFrame = (
  frame: Frame,
  stored: Uint8Array,
  source: { readonly prefix: string; readonly keys?: DataKeys | undefined },
): Buffer => {
  if (stored.length !== frame.storedBytes || sha256(stored) !== frame.digest) {
    throw corrupt(frame, "digest mismatch");
  }
  const isSealed = frame.codec === "sealed-raw" || frame.codec === "sealed-zstd";
  const place = framePlace(objectKey(source.prefix, frame.pack), frame.offset);
  const encoded = isSealed ? unseal(source.keys ?? NO_KEYS, place, stored) : stored;
  if (frame.codec === "raw" || frame.codec === "sealed-raw") {
    if (encoded.length !== frame.rawBytes) throw corrupt(frame, "length mismatch");
    return Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  }
  try {
    const raw = zstdDecompressSync(encoded, {
      maxOutputLength: Math.max(1, frame.rawBytes),
      chunkSize: frame.rawBytes + CHUNK_SPARE_BYTES,
    });
    if (raw.length !== frame.rawBytes) throw corrupt(frame, "length mismatch");
    return raw;
  } catch (cause) {
    if (cause instanceof TerminalError) throw cause;
    throw corrupt(frame, "not decompressible", cause);
  }
};

const corrupt = (frame: Frame, what: string, cause?: unknown): TerminalError =>
  new TerminalError(`pack ${frame.pack}, frame at ${frame.offset}: ${what}`, {
    code: "frame-corrupt",
    hint: "hydrate another snapshot, and verify the volume",
    data: { pack: frame.pack, offset: frame.offset },
    cause,
  });
