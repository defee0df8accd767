/**
 * statx(2) on a name in an open directory: a third of the cost of lstat on a path, which is what an
 * unchanged snapshot of many files consists of. The structure is the same on every architecture.
 */
import { constants } from "node:os";
import koffi from "koffi";
import type { FileKind, FileStat } from "../volume/file-system.ts";

const libc = koffi.load("libc.so.6");
const statx = libc.func(
  "int statx(int dirfd, const void *name, int flags, uint mask, void *result)",
);

const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_NO_AUTOMOUNT = 0x800;
const STATX_BASIC_STATS = 0x7ff;
const NS_PER_S = 1_000_000_000n;
const NAME_BYTES_MAX = 255;

/** S_IFMT of inode(7), shifted. */
const KIND_SHIFT = 12;
const KINDS: ReadonlyMap<number, FileKind> = new Map([
  [8, "file"],
  [4, "directory"],
  [10, "symlink"],
  [1, "fifo"],
  [12, "socket"],
  [2, "character-device"],
  [6, "block-device"],
]);

/** Reused by each call: they are synchronous. */
const result = Buffer.alloc(256);
const cName = Buffer.alloc(NAME_BYTES_MAX + 1);

export const statAt = (directoryFd: number, name: Buffer): FileStat => {
  if (name.length > NAME_BYTES_MAX) throw systemError("ENAMETOOLONG", name);
  name.copy(cName);
  cName[name.length] = 0;
  const flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
  if (statx(directoryFd, cName, flags, STATX_BASIC_STATS, result) !== 0) {
    const errno = koffi.errno();
    const known = Object.entries(constants.errno).find(([, value]) => value === errno);
    throw systemError(known?.[0] ?? String(errno), name);
  }
  const mode = result.readUInt16LE(28);
  return {
    kind: KINDS.get(mode >> KIND_SHIFT) ?? "character-device",
    mode: mode & 0o7777,
    uid: result.readUInt32LE(20),
    gid: result.readUInt32LE(24),
    nlink: result.readUInt32LE(16),
    dev: deviceNumber(result.readUInt32LE(136), result.readUInt32LE(140)),
    ino: result.readBigUInt64LE(32),
    size: result.readBigUInt64LE(40),
    ctimeNs: timeAt(96),
    mtimeNs: timeAt(112),
  };
};

const timeAt = (at: number): bigint =>
  result.readBigInt64LE(at) * NS_PER_S + BigInt(result.readUInt32LE(at + 8));

let lastDevice = { major: -1, minor: -1, number: 0n };

/** As makedev(3) puts them together, and so as fstat gives them. */
const deviceNumber = (major: number, minor: number): bigint => {
  if (lastDevice.major !== major || lastDevice.minor !== minor) {
    const [a, b] = [BigInt(major), BigInt(minor)];
    const number =
      ((a & 0xfffff000n) << 32n) | ((a & 0xfffn) << 8n) | ((b & 0xffffff00n) << 12n) | (b & 0xffn);
    lastDevice = { major, minor, number };
  }
  return lastDevice.number;
};

const systemError = (code: string, name: Buffer): Error =>
  Object.assign(new Error(`statx: ${code}, ${name.toString()}`), { code, syscall: "statx" });
