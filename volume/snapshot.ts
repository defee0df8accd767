/** The snapshot object: small, written last. What it does not name does not belong to it. */
import { promisify } from "node:util";
import { zstdCompress, zstdDecompressSync } from "node:zlib";
import * as z from "zod";
import { sha256 } from "./digest.ts";
import { TerminalError } from "./errors.ts";
import { parseObjectName, snapshotKey } from "./keys.ts";
import type { ObjectStore } from "./object-store.ts";

/** The newest format this code reads and the one it writes. */
export const SNAPSHOT_FORMAT = 1;
const SNAPSHOT_BYTES_MAX = 64 * 2 ** 20;
const DIGEST_BYTES = 64;

const compress = promisify(zstdCompress);
const count = z.int().nonnegative();
const ObjectName = z
  .string()
  .refine((name) => parseObjectName(name) !== null, "not an object name");

export const Snapshot = z.strictObject({
  format: z.literal(SNAPSHOT_FORMAT),
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

/** Stored as the hex SHA-256 of the rest, then the zstd of the JSON. */
export const encodeSnapshot = async (snapshot: Snapshot): Promise<Buffer> => {
  const body = await compress(Buffer.from(JSON.stringify(snapshot)));
  return Buffer.concat([Buffer.from(sha256(body), "latin1"), body]);
};

export const decodeSnapshot = (id: string, stored: Uint8Array): Snapshot => {
  const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
  const body = bytes.subarray(DIGEST_BYTES);
  if (sha256(body) !== bytes.subarray(0, DIGEST_BYTES).toString("latin1")) {
    throw new TerminalError(`snapshot ${id}: digest mismatch`, { code: "snapshot-corrupt" });
  }
  const json = parseBody(id, body);
  const format = (json as { format?: unknown } | null)?.format;
  if (typeof format === "number" && format > SNAPSHOT_FORMAT) {
    throw new TerminalError(`snapshot ${id} has format ${format}, newer than this version reads`, {
      code: "snapshot-too-new",
      hint: "upgrade this node",
    });
  }
  const parsed = Snapshot.safeParse(json);
  if (!parsed.success || parsed.data.id !== id) {
    throw new TerminalError(`snapshot ${id} is malformed`, {
      code: "snapshot-malformed",
      cause: parsed.error,
    });
  }
  return parsed.data;
};

const parseBody = (id: string, body: Buffer): unknown => {
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

export interface SnapshotPlace {
  readonly store: ObjectStore;
  readonly prefix: string;
  readonly snapshotId: string;
}

/** The snapshot, or null when the store has none of that id. */
export const readSnapshot = async (
  { store, prefix, snapshotId }: SnapshotPlace,
  signal: AbortSignal,
): Promise<Snapshot | null> => {
  const stored = await store.get(snapshotKey(prefix, snapshotId), signal);
  return stored === null ? null : decodeSnapshot(snapshotId, stored);
};
