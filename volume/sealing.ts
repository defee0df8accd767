/**
 * Sealing: AES-256-GCM, with the place of what is sealed as associated data, so that nothing opens at
 * another place than it was written for. Keys come in and stay in memory; where they are kept, and under
 * what they are wrapped, is not this file's business.
 */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { TerminalError } from "./errors.ts";

export interface DataKey {
  /** 16 lower-case hex digits. */
  readonly id: string;
  /** 32 bytes. */
  readonly secret: Uint8Array;
}

/** What a volume's data may be read with, and what new data are sealed with (null: not at all). */
export interface DataKeys {
  readonly current: string | null;
  readonly keys: readonly DataKey[];
}

export const NO_KEYS: DataKeys = { current: null, keys: [] };

const KEY_ID_BYTES = 8;
/** NIST SP 800-38D: 96 random bits serve 2^32 boxes under one key; a box holds up to 1 MiB of data. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
export const SEAL_BYTES = KEY_ID_BYTES + NONCE_BYTES + TAG_BYTES;

/** The key that new data are sealed with, or null. */
export const currentKey = ({ current, keys }: DataKeys): DataKey | null =>
  current === null ? null : findKey(current, keys);

/** Key id, nonce, the sealed bytes, tag. */
export const seal = (key: DataKey, place: string, plain: Uint8Array): Buffer => {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key.secret, nonce);
  cipher.setAAD(Buffer.from(place));
  const sealed = cipher.update(plain);
  const rest = cipher.final();
  return Buffer.concat([Buffer.from(key.id, "hex"), nonce, sealed, rest, cipher.getAuthTag()]);
};

/**
 * The bytes that were sealed for this place. Throws TerminalError `key-missing` without the key, and
 * `seal-broken` where the bytes, or their place, are not those that were sealed.
 */
export const unseal = ({ keys }: DataKeys, place: string, box: Uint8Array): Buffer => {
  if (box.length < SEAL_BYTES) throw broken(place);
  const bytes = Buffer.from(box.buffer, box.byteOffset, box.byteLength);
  const key = findKey(bytes.toString("hex", 0, KEY_ID_BYTES), keys);
  const nonce = bytes.subarray(KEY_ID_BYTES, KEY_ID_BYTES + NONCE_BYTES);
  const decipher = createDecipheriv("aes-256-gcm", key.secret, nonce);
  decipher.setAAD(Buffer.from(place));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  const opened = decipher.update(bytes.subarray(KEY_ID_BYTES + NONCE_BYTES, -TAG_BYTES));
  try {
    return Buffer.concat([opened, decipher.final()]);
  } catch (cause) {
    throw broken(place, cause);
  }
};

const findKey = (id: string, keys: readonly DataKey[]): DataKey => {
  const key = keys.find((known) => known.id === id);
  if (key !== undefined) return key;
  throw new TerminalError(`the data are sealed with key ${id}, which is not at hand`, {
    code: "key-missing",
    hint: "set BAGAGE_KEY or BAGAGE_KEY_FILE to the key that wraps the project's data keys",
  });
};

const broken = (place: string, cause?: unknown): TerminalError =>
  new TerminalError(`sealed data are damaged, or not of this place: ${place}`, {
    code: "seal-broken",
    hint: "use another snapshot, and verify the volume",
    cause,
  });

/** The places that what is sealed stands at: docs/format.md, "Sealed". Keys are whole keys. */
export const framePlace = (packKey: string, offset: number): string => `frame ${packKey} ${offset}`;
export const segmentPlace = (segmentKey: string): string => `segment ${segmentKey}`;
export const snapshotPlace = (key: string, outlineDigest: string): string =>
  `snapshot ${key} ${outlineDigest}`;
