/**
 * What Linux tells about a file's place on the device: clones that share their data (ioctl_ficlone(2))
 * and extent maps (Documentation/filesystems/fiemap.rst), by which a change is found without reading.
 */
import { writeSync } from "node:fs";
import koffi from "koffi";
import type { PhysicalExtent } from "../volume/file-system.ts";

const libc = koffi.load("libc.so.6");
const ioctlInt = libc.func("int ioctl(int fd, ulong request, int argument)");
const ioctlBuffer = libc.func("int ioctl(int fd, ulong request, void *argument)");
/** fallocate(2) */
const fallocate = libc.func("int fallocate(int fd, int mode, int64 offset, int64 length)");

const FICLONE = 0x40049409;
const FS_IOC_FIEMAP = 0xc020660b;
const FIEMAP_FLAG_SYNC = 0x1;
const FIEMAP_EXTENT_LAST = 0x1;
const FIEMAP_EXTENT_SHARED = 0x2000;
/** UNKNOWN, DELALLOC, ENCODED, DATA_ENCRYPTED, NOT_ALIGNED, DATA_INLINE, DATA_TAIL. */
const NOT_COMPARABLE = 0x2 | 0x4 | 0x8 | 0x80 | 0x100 | 0x200 | 0x400;
/** Reads as zeros, as a hole does: the dirty pages of it are written before the kernel answers. */
const FIEMAP_EXTENT_UNWRITTEN = 0x800;
const HEADER_BYTES = 32;
const EXTENT_BYTES = 56;
const EXTENTS_A_CALL = 2_048;
const PUNCH_HOLE_KEEP_SIZE = 0x3;
const ZEROS = Buffer.alloc(2 ** 20);

/** False on any error: the caller then reads the file instead. */
export const cloneFile = (fromFd: number, toFd: number): boolean =>
  ioctlInt(toFd, FICLONE, fromFd) === 0;

const request = Buffer.alloc(HEADER_BYTES + EXTENTS_A_CALL * EXTENT_BYTES);

/** The kernel's answer in `request`: how many extents it lists. */
const askExtents = (fd: number, start: bigint): number | null => {
  request.fill(0, 0, HEADER_BYTES);
  request.writeBigUInt64LE(start, 0);
  request.writeBigUInt64LE(2n ** 64n - 1n - start, 8);
  request.writeUInt32LE(FIEMAP_FLAG_SYNC, 16);
  request.writeUInt32LE(EXTENTS_A_CALL, 24);
  return ioctlBuffer(fd, FS_IOC_FIEMAP, request) === 0 ? request.readUInt32LE(20) : null;
};

export const extentMap = (fd: number): PhysicalExtent[] | null => {
  const extents: PhysicalExtent[] = [];
  for (let start = 0n; ; ) {
    const count = askExtents(fd, start);
    if (count === null) return null;
    if (count === 0) return extents;
    for (let i = 0; i < count; i += 1) {
      const at = HEADER_BYTES + i * EXTENT_BYTES;
      const flags = request.readUInt32LE(at + 40);
      const offset = readNumber(at);
      const physical = readNumber(at + 8);
      const length = readNumber(at + 16);
      if ((flags & (NOT_COMPARABLE | FIEMAP_EXTENT_UNWRITTEN)) !== FIEMAP_EXTENT_UNWRITTEN) {
        const isKnown = (flags & NOT_COMPARABLE) === 0 && Number.isSafeInteger(physical + length);
        const isComparable = isKnown && (flags & FIEMAP_EXTENT_SHARED) !== 0;
        extents.push({ offset, length, physical, isComparable });
      }
      if ((flags & FIEMAP_EXTENT_LAST) !== 0) return extents;
      start = BigInt(offset + length);
    }
  }
};

/** Exact up to 8 PiB. */
const readNumber = (at: number): number =>
  request.readUInt32LE(at) + request.readUInt32LE(at + 4) * 2 ** 32;

export const punchHole = (fd: number, offset: number, length: number): void => {
  if (fallocate(fd, PUNCH_HOLE_KEEP_SIZE, offset, length) === 0) return;
  for (let done = 0; done < length; ) {
    done += writeSync(fd, ZEROS, 0, Math.min(ZEROS.length, length - done), offset + done);
  }
};
