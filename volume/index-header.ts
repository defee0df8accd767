/** How an index begins: which snapshot it describes, and whether it can be trusted after a power failure. */
import { readBootId } from "./boot-id.ts";

export interface IndexHeader {
  readonly snapshotId: string;
  /** The snapshot's objects are sealed. */
  readonly isSealed: boolean;
  /** The boot in which it was written: all that there is to trust a draft by. */
  readonly bootId: string;
  /** Known to be on the disk. What is not must have its checksum. */
  readonly isDurable: boolean;
}

/** 2 had no stale ranges; 2 and 3 were on the disk before they had their name. */
const FORMAT = 4;
const FORMATS: readonly unknown[] = [2, 3, FORMAT];

const NOT_DURABLE = '"isDurable":false';
/** As long, so that it is written over the other: a sector reaches the disk as a whole or not at all. */
const DURABLE = '"isDurable":true ';

export interface EncodedHeader {
  readonly bytes: Buffer;
  /** What to write over the bytes, and where in them, once all of the index is on the disk. */
  readonly whenDurable: { readonly at: number; readonly bytes: Buffer };
}

/** Of an index that is written now, and is not on the disk. */
export const encodeHeader = (of: Pick<IndexHeader, "snapshotId" | "isSealed">): EncodedHeader => {
  const header: IndexHeader = { ...of, bootId: readBootId(), isDurable: false };
  const bytes = Buffer.from(JSON.stringify({ format: FORMAT, ...header }));
  return { bytes, whenDurable: { at: bytes.indexOf(NOT_DURABLE), bytes: Buffer.from(DURABLE) } };
};

/** Null: of a format that this version does not know, or no header. */
export const parseHeader = (json: Buffer): IndexHeader | null => {
  try {
    const header = JSON.parse(json.toString()) as Partial<IndexHeader> & { format?: unknown };
    const { format, snapshotId, bootId, isSealed = false } = header;
    const isDurable = format === FORMAT ? header.isDurable === true : true;
    return FORMATS.includes(format) && typeof snapshotId === "string" && typeof bootId === "string"
      ? { snapshotId, isSealed, bootId, isDurable }
      : null;
  } catch {
    return null;
  }
};
