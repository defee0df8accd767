/** Names and what statx(2) says of them, as bytes: what threads send each other costs by the object. */
import { IDENTITY_BYTES, PackedIdentity, packIdentity } from "../file-identity.ts";
import type { FileKind, FileStat } from "../file-system.ts";

const KINDS: readonly FileKind[] = [
  ...(["file", "directory", "symlink", "fifo"] as const),
  ...(["socket", "character-device", "block-device"] as const),
];
/** In the place of a kind: the name was gone when it was looked at. */
const GONE = 255;
const HEAD_BYTES = 16;
const ROW_BYTES = HEAD_BYTES + IDENTITY_BYTES;

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

/** A row: kind, mode, uid, gid, nlink, and the identity. */
export const packStats = (stats: readonly (FileStat | null)[]): Uint8Array => {
  const rows = Buffer.from(new ArrayBuffer(stats.length * ROW_BYTES));
  for (const [i, stat] of stats.entries()) {
    const at = i * ROW_BYTES;
    rows.writeUInt8(stat === null ? GONE : KINDS.indexOf(stat.kind), at);
    if (stat === null) continue;
    rows.writeUInt16LE(stat.mode, at + 2);
    rows.writeUInt32LE(stat.uid, at + 4);
    rows.writeUInt32LE(stat.gid, at + 8);
    rows.writeUInt32LE(stat.nlink, at + 12);
    packIdentity(stat, rows, at + HEAD_BYTES);
  }
  return rows;
};

export const unpackStats = (packed: Uint8Array): (FileStat | null)[] => {
  const rows = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  return Array.from({ length: rows.length / ROW_BYTES }, (_, i) => {
    const kind = KINDS[rows.readUInt8(i * ROW_BYTES)];
    return kind === undefined ? null : new PackedStat(kind, rows, i * ROW_BYTES);
  });
};

class PackedStat extends PackedIdentity implements FileStat {
  readonly kind: FileKind;
  constructor(kind: FileKind, rows: Buffer, at: number) {
    super(rows, at + HEAD_BYTES);
    this.kind = kind;
  }
  get mode(): number {
    return this.bytes.readUInt16LE(this.at - HEAD_BYTES + 2);
  }
  get uid(): number {
    return this.bytes.readUInt32LE(this.at - HEAD_BYTES + 4);
  }
  get gid(): number {
    return this.bytes.readUInt32LE(this.at - HEAD_BYTES + 8);
  }
  get nlink(): number {
    return this.bytes.readUInt32LE(this.at - HEAD_BYTES + 12);
  }
}
