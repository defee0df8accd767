/**
 * The snapshot object: small, written last. What it does not name does not belong to it. A sealed one
 * keeps its outline readable: the names of the objects it needs, which anybody sees who lists the store.
 */
import { promisify } from "node:util";
import { zstdCompress, zstdDecompressSync } from "node:zlib";
import * as z from "zod";
import { sha256 } from "./digest.ts";
import { TerminalError } from "./errors.ts";
import { isForeign, parseObjectName, snapshotKey } from "./keys.ts";
import type { ObjectStore } from "./object-store.ts";
import { type DataKey, type DataKeys, NO_KEYS, seal, snapshotPlace, unseal } from "./sealing.ts";

/** Plain; the same, with names of objects in other volumes; sealed. See docs/format.md. */
export const SNAPSHOT_FORMATS = { plain: 1, foreign: 2, sealed: 3 } as const;
const FORMAT_MAX = 3;
const SNAPSHOT_BYTES_MAX = 64 * 2 ** 20;
const DIGEST_BYTES = 64;
const MAGIC = Buffer.from("bagage3\n", "latin1");
const LENGTH_BYTES = 4;

const compress = promisify(zstdCompress);
const count = z.int().nonnegative();
const ObjectName = z
  .string()
  .refine((name) => parseObjectName(name) !== null, "not an object name");

export const Snapshot = z.strictObject({
  format: z.literal([1, 2, 3]),
  id: z.string(),
  epoch: count,
  attempt: z.string(),
  parent: z.string().nullable(),
  /** Digest of the tree's content: equal for equal content, however it was found and stored. */
  digest: z.hex().length(64),
  files: count,
  /** Bytes of all files as the application sees them. */
  bytes: count,
  /** name, SHA-256 of the stored bytes, stored bytes, entries, content digest; in tree order. */
  segments: z.array(z.tuple([ObjectName, z.hex().length(64), count, count, z.hex().length(64)])),
  /** Every pack that a file of the tree needs, with its size. */
  packs: z.array(z.tuple([ObjectName, count])),
});
export type Snapshot = z.infer<typeof Snapshot>;

/** What can be read of any snapshot without a key: who wrote it, and which objects it needs. */
export const Outline = z.strictObject({
  format: z.literal([1, 2, 3]),
  id: z.string(),
  epoch: count,
  attempt: z.string(),
  parent: z.string().nullable(),
  /** Packs and segments, with their sizes. */
  objects: z.array(z.tuple([ObjectName, count])),
});
export type Outline = z.infer<typeof Outline>;

const outlineOf = (snapshot: Snapshot): Outline => {
  const { format, id, epoch, attempt, parent, packs, segments } = snapshot;
  const objects = [...packs, ...segments.map(([name, , bytes]): [string, number] => [name, bytes])];
  return { format, id, epoch, attempt, parent, objects };
};

/** The format that a snapshot of these objects is written in. */
export const chooseFormat = (
  objects: Pick<Snapshot, "segments" | "packs">,
  key: DataKey | null,
): Snapshot["format"] => {
  if (key !== null) return SNAPSHOT_FORMATS.sealed;
  const names = [...objects.packs, ...objects.segments].map(([name]) => name);
  return names.some(isForeign) ? SNAPSHOT_FORMATS.foreign : SNAPSHOT_FORMATS.plain;
};

/**
 * Stored as the hex SHA-256 of the rest, then the zstd of the JSON. Sealed: a magic, the SHA-256 of the
 * rest, the length of the outline, the outline, and the JSON sealed for this key and this outline.
 */
export const encodeSnapshot = async (
  snapshot: Snapshot,
  sealing?: { readonly prefix: string; readonly key: DataKey },
): Promise<Buffer> => {
  const body = await compress(Buffer.from(JSON.stringify(snapshot)));
  if (sealing === undefined) return Buffer.concat([Buffer.from(sha256(body), "latin1"), body]);
  const outline = await compress(Buffer.from(JSON.stringify(outlineOf(snapshot))));
  const place = snapshotPlace(snapshotKey(sealing.prefix, snapshot.id), sha256(outline));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(outline.length);
  const rest = Buffer.concat([length, outline, seal(sealing.key, place, body)]);
  return Buffer.concat([MAGIC, Buffer.from(sha256(rest), "latin1"), rest]);
};

export interface SnapshotPlace {
  readonly store: ObjectStore;
  readonly prefix: string;
  readonly snapshotId: string;
  /** Needed for what is sealed; without them a sealed snapshot is refused with the key's id. */
  readonly keys?: DataKeys | undefined;
}

type Decoding = Pick<SnapshotPlace, "prefix" | "snapshotId" | "keys">;

export const decodeSnapshot = (
  { prefix, snapshotId: id, keys = NO_KEYS }: Decoding,
  stored: Uint8Array,
): Snapshot => {
  const { outline, rest } = split(id, stored);
  const body =
    outline === null
      ? rest
      : unseal(keys, snapshotPlace(snapshotKey(prefix, id), sha256(outline)), rest);
  return parseBody(id, body, Snapshot);
};

const decodeOutline = (id: string, stored: Uint8Array): Outline => {
  const { outline, rest } = split(id, stored);
  return outline === null
    ? outlineOf(parseBody(id, rest, Snapshot))
    : parseBody(id, outline, Outline);
};

/** The verified parts of the object; `outline` is null for one that is not sealed. */
const split = (
  id: string,
  stored: Uint8Array,
): { readonly outline: Buffer | null; readonly rest: Buffer } => {
  const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
  const isSealed = bytes.subarray(0, MAGIC.length).equals(MAGIC);
  const framed = bytes.subarray(isSealed ? MAGIC.length : 0);
  const rest = framed.subarray(DIGEST_BYTES);
  if (sha256(rest) !== framed.subarray(0, DIGEST_BYTES).toString("latin1")) {
    throw new TerminalError(`snapshot ${id}: digest mismatch`, { code: "snapshot-corrupt" });
  }
  if (!isSealed) return { outline: null, rest };
  const end = rest.length < LENGTH_BYTES ? rest.length : LENGTH_BYTES + rest.readUInt32LE();
  return { outline: rest.subarray(LENGTH_BYTES, end), rest: rest.subarray(end) };
};

const parseBody = <T extends { readonly id: string }>(
  id: string,
  body: Buffer,
  schema: z.ZodType<T>,
): T => {
  const json = decompressJson(id, body);
  const format = (json as { format?: unknown } | null)?.format;
  if (typeof format === "number" && format > FORMAT_MAX) {
    throw new TerminalError(`snapshot ${id} has format ${format}, newer than this version reads`, {
      code: "snapshot-too-new",
      hint: "upgrade this node",
    });
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success || parsed.data.id !== id) {
    throw new TerminalError(`snapshot ${id} is malformed`, {
      code: "snapshot-malformed",
      cause: parsed.error,
    });
  }
  return parsed.data;
};

const decompressJson = (id: string, body: Buffer): unknown => {
  try {
    return JSON.parse(
      zstdDecompressSync(body, { maxOutputLength: SNAPSHOT_BYTES_MAX }).toString("utf8"),
    );
  } catch (cause) {
    throw new TerminalError(`snapshot ${id} is not readable`, {
      code: "snapshot-malformed",
      cause,
    });
  }
};

/** The snapshot, or null when the store has none of that id. */
export const readSnapshot = async (
  place: SnapshotPlace,
  signal: AbortSignal,
): Promise<Snapshot | null> => {
  const stored = await place.store.get(snapshotKey(place.prefix, place.snapshotId), signal);
  return stored === null ? null : decodeSnapshot(place, stored);
};

/** What needs no key of the snapshot, or null when the store has none of that id. */
export const readOutline = async (
  { store, prefix, snapshotId }: SnapshotPlace,
  signal: AbortSignal,
): Promise<Outline | null> => {
  const stored = await store.get(snapshotKey(prefix, snapshotId), signal);
  return stored === null ? null : decodeOutline(snapshotId, stored);
};
