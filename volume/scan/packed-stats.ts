/** Names and what statx(2) says of them, as bytes: what threads send each other costs by the object. */
import { IDENTITY_BYTES, PackedIdentity, packIdentity } from "../file-identity.ts";
import type { FileKind, FileStat } from "../file-system.ts";

const KINDS: readonly FileKind[] = [
  ...(["file", "directory", "symlink", "fifo"] as const),
  ...(["socket", "character-device", "block-device"] as const),
];
/** In the place of a kind: the name was gone when it was looked at. */
const GONE = 255;
/** In a row, after the identity. */
const KIND_AT = IDENTITY_BYTES;
const MODE_AT = KIND_AT + 2;
const UID_AT = KIND_AT + 4;
const GID_AT = KIND_AT + 8;
const NLINK_AT = KIND_AT + 12;
const ROW_BYTES = KIND_AT + 16;

/** No name holds a zero byte: each ends with one. */
export const packNames = (names: readonly Buffer[]): Uint8Array => {
  const packed = new Uint8Array(names.reduce((sum, { length }) => sum + length + 1, 0));
  let at = 0;
  for (const name of names) {
    packed.set(name, at);
    at += name.length + 1;
  }
  return packed;
};

export const unpackNames = (packed: Uint8Array): Buffer[] => {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  const names: Buffer[] = [];
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(0, from);
    names.push(bytes.subarray(from, end));
    from = end + 1;
  }
  return names;
};

export const packStats = (stats: readonly (FileStat | null)[]): Uint8Array => {
  const rows = Buffer.from(new ArrayBuffer(stats.length * ROW_BYTES));
  for (const [i, stat] of stats.entries()) {
    const at = i * ROW_BYTES;
    rows.writeUInt8(stat === null ? GONE : KINDS.indexOf(stat.kind), at + KIND_AT);
    if (stat === null) continue;
    rows.writeUInt16LE(stat.mode, at + MODE_AT);
    rows.writeUInt32LE(stat.uid, at + UID_AT);
    rows.writeUInt32LE(stat.gid, at + GID_AT);
    rows.writeUInt32LE(stat.nlink, at + NLINK_AT);
    packIdentity(stat, rows, at);
  }
  return rows;
};

export const unpackStats = (packed: Uint8Array): (FileStat | null)[] => {
  const rows = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  return Array.from({ length: rows.length / ROW_BYTES }, (_, i) => {
    const kind = KINDS[rows.readUInt8(i * ROW_BYTES + KIND_AT)];
    return kind === undefined ? null : new PackedStat(kind, rows, i * ROW_BYTES);
  });
};

class PackedStat extends PackedIdentity implements FileStat {
  readonly kind: FileKind;
  constructor(kind: FileKind, rows: Buffer, at: number) {
    super(rows, at);
    this.kind = kind;
  }
  get mode(): number {
    return this.bytes.readUInt16LE(this.at + MODE_AT);
  }
  get uid(): number {
    return this.bytes.readUInt32LE(this.at + UID_AT);
  }
  get gid(): number {
    return this.bytes.readUInt32LE(this.at + GID_AT);
  }
  get nlink(): number {
    return this.bytes.readUInt32LE(this.at + NLINK_AT);
  }
}
