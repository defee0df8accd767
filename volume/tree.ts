/**
 * Tree segments: the sorted entries of a snapshot, cut where the paths themselves say, so that a
 * change in one place rewrites one or two segments and leaves the others as they are.
 */
import { promisify } from "node:util";
import { constants, zstdCompress, zstdDecompressSync } from "node:zlib";
import * as z from "zod";
import { sha256, sha256Bytes } from "./digest.ts";
import type { Entry, Extent, Frame } from "./entry.ts";
import { TerminalError } from "./errors.ts";
import { nameWithin } from "./keys.ts";

/** A segment ends after a path whose hash falls in 1/SEGMENT_MEAN, or at the largest count. */
const SEGMENT_MEAN = 2_048;
const SEGMENT_ENTRIES_MAX = 8_192;
/** Beyond what any honest segment reaches: its entries, each with thousands of extents. */
export const SEGMENT_BYTES_MAX = 256 * 2 ** 20;
const SEGMENT_LEVEL = 3;

const compress = promisify(zstdCompress);

/** Whether a segment that has `count` entries ends with this path. Depends on the paths alone. */
export const endsSegment = (path: Buffer, count: number): boolean =>
  count >= SEGMENT_ENTRIES_MAX || sha256Bytes(path).readUInt32LE(0) % SEGMENT_MEAN === 0;

/** UTF-8 text, or base64 in an array for names that are no valid UTF-8. */
const PathJson = z.union([z.string(), z.tuple([z.base64()])]);
type PathJson = z.infer<typeof PathJson>;

const count = z.int().nonnegative();

/** offset, length, index of the frame, offset in the frame. */
type ExtentJson = readonly [number, number, number, number];

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;

/** A database's file has thousands: checked one by one, as a schema each costs a microsecond. */
const ExtentsJson = z.custom<readonly ExtentJson[]>(
  (rows) =>
    Array.isArray(rows) &&
    rows.every((row) => Array.isArray(row) && row.length === 4 && row.every(isCount)),
);
const EntryJson = z.strictObject({
  path: PathJson,
  type: z.enum(["directory", "file", "symlink", "hardlink", "fifo"]),
  mode: count.max(0o7777),
  uid: count,
  gid: count,
  mtimeNs: z.string().regex(/^-?\d{1,20}$/),
  xattrs: z.array(z.tuple([z.string(), z.base64()])).optional(),
  size: count.optional(),
  digest: z.hex().length(64).optional(),
  extents: ExtentsJson.optional(),
  target: PathJson.optional(),
});
export type EntryJson = z.infer<typeof EntryJson>;

const SegmentJson = z.strictObject({
  packs: z.array(z.string()),
  /** index of the pack, offset, stored bytes, raw bytes, codec, SHA-256 of the stored bytes. */
  frames: z.array(
    z.tuple([
      count,
      count,
      count,
      count,
      z.enum(["raw", "zstd", "sealed-raw", "sealed-zstd"]),
      z.hex().length(64),
    ]),
  ),
  entries: z.array(EntryJson),
});
export type SegmentJson = z.infer<typeof SegmentJson>;

const pathToJson = (path: Buffer): PathJson => {
  const text = path.toString("utf8");
  return Buffer.from(text, "utf8").equals(path) ? text : [path.toString("base64")];
};

const pathFromJson = (json: PathJson): Buffer =>
  typeof json === "string" ? Buffer.from(json, "utf8") : Buffer.from(json[0], "base64");

/** A segment's JSON form as text, and the packs that it names. */
export interface SerializedSegment {
  readonly text: Buffer;
  readonly packs: readonly string[];
}

export const serializeSegment = (entries: readonly Entry[]): SerializedSegment => {
  const json = segmentToJson(entries);
  return { text: Buffer.from(JSON.stringify(json)), packs: json.packs };
};

/** Entries with their frames and packs in tables, each named once. */
const segmentToJson = (entries: readonly Entry[]): SegmentJson => {
  const packs = new Map<string, number>();
  const frames = new Map<Frame, number>();
  const frameRows: SegmentJson["frames"] = [];
  const indexOf = (frame: Frame): number => {
    const known = frames.get(frame);
    if (known !== undefined) return known;
    const pack = packs.get(frame.pack) ?? packs.size;
    packs.set(frame.pack, pack);
    frames.set(frame, frameRows.length);
    const { offset, storedBytes, rawBytes, codec, digest } = frame;
    return frameRows.push([pack, offset, storedBytes, rawBytes, codec, digest]) - 1;
  };
  const rows = entries.map((entry): EntryJson => {
    const { path, type, mode, uid, gid, mtimeNs, xattrs } = entry;
    const common = { path: pathToJson(path), type, mode, uid, gid, mtimeNs: String(mtimeNs) };
    return {
      ...common,
      ...(xattrs.length > 0 && {
        xattrs: xattrs.map(({ name, value }): [string, string] => [name, value.toString("base64")]),
      }),
      ...(entry.type === "file" && {
        size: entry.size,
        digest: entry.digest,
        extents: entry.extents.map(
          (e): ExtentJson => [e.offset, e.length, indexOf(e.frame), e.frameOffset],
        ),
      }),
      ...((entry.type === "symlink" || entry.type === "hardlink") && {
        target: pathToJson(entry.target),
      }),
    };
  });
  return { packs: [...packs.keys()], frames: frameRows, entries: rows };
};

/** `segment`: the name that the segment was read by, to which its packs' names are relative. */
export const segmentFromJson = (json: SegmentJson, segment: string): Entry[] => {
  const frames = json.frames.map(([pack, offset, storedBytes, rawBytes, codec, digest]): Frame => {
    const name = json.packs[pack];
    if (name === undefined) throw malformed("a frame names no pack");
    return { pack: nameWithin(segment, name), offset, storedBytes, rawBytes, codec, digest };
  });
  return json.entries.map((row) => entryFromJson(row, frames));
};

const entryFromJson = (row: EntryJson, frames: readonly Frame[]): Entry => {
  const common = {
    path: pathFromJson(row.path),
    mode: row.mode,
    uid: row.uid,
    gid: row.gid,
    mtimeNs: BigInt(row.mtimeNs),
    xattrs: (row.xattrs ?? []).map(([name, value]) => ({
      name,
      value: Buffer.from(value, "base64"),
    })),
  };
  switch (row.type) {
    case "directory":
    case "fifo":
      return { ...common, type: row.type };
    case "symlink":
    case "hardlink":
      if (row.target === undefined) throw malformed("a link has no target");
      return { ...common, type: row.type, target: pathFromJson(row.target) };
    case "file": {
      const { size, digest, extents } = row;
      if (size === undefined || digest === undefined)
        throw malformed("a file has no size or digest");
      return {
        ...common,
        type: "file",
        size,
        digest,
        extents: extentsFromJson(extents ?? [], size, frames),
      };
    }
  }
};

const extentsFromJson = (
  rows: NonNullable<EntryJson["extents"]>,
  size: number,
  frames: readonly Frame[],
): Extent[] => {
  let end = 0;
  return rows.map(([offset, length, index, frameOffset]) => {
    const frame = frames[index];
    if (frame === undefined || frameOffset + length > frame.rawBytes) {
      throw malformed("an extent lies outside its frame");
    }
    if (offset < end || offset + length > size) throw malformed("an extent lies outside its file");
    end = offset + length;
    return { offset, length, frame, frameOffset };
  });
};

const malformed = (what: string): TerminalError =>
  new TerminalError(`tree segment: ${what}`, { code: "segment-malformed" });

/** The bytes as stored: zstd of the text. */
export const encodeSegment = async ({ text }: Pick<SerializedSegment, "text">): Promise<Buffer> =>
  compress(text, {
    chunkSize: 2 ** 18,
    params: { [constants.ZSTD_c_compressionLevel]: SEGMENT_LEVEL },
  });

/**
 * Verifies, opens what is sealed, decompresses within bounds and parses; with the text that it was.
 * Throws TerminalError for anything else.
 */
export const decodeSegment = (
  stored: Uint8Array,
  digest: string,
  unsealed: ((stored: Uint8Array) => Uint8Array) | null = null,
): { readonly json: SegmentJson; readonly text: Buffer } => {
  if (sha256(stored) !== digest) {
    throw new TerminalError("tree segment: digest mismatch", { code: "segment-corrupt" });
  }
  const body = unsealed === null ? stored : unsealed(stored);
  try {
    const text = zstdDecompressSync(body, { maxOutputLength: SEGMENT_BYTES_MAX });
    return { json: SegmentJson.parse(JSON.parse(text.toString("utf8"))), text };
  } catch (cause) {
    throw new TerminalError("tree segment: not readable", { code: "segment-malformed", cause });
  }
};
