/**
 * An index ends with the CRC-32 of all before it. It is looked at where nothing else says that the disk
 * has all of the index: after a power failure, or before it has been synced.
 */
import { fstatSync, readSync } from "node:fs";
import { crc32 } from "node:zlib";

const CHECKSUM_BYTES = 4;
const READ_BYTES = 2 ** 20;

export const encodeChecksum = (checksum: number): Buffer => {
  const bytes = Buffer.alloc(CHECKSUM_BYTES);
  bytes.writeUInt32LE(checksum);
  return bytes;
};

export const hasChecksum = (fd: number): boolean => {
  const length = fstatSync(fd).size - CHECKSUM_BYTES;
  const bytes = Buffer.allocUnsafe(READ_BYTES);
  let checksum = 0;
  for (let at = 0; at < length; ) {
    const read = readSync(fd, bytes, 0, Math.min(READ_BYTES, length - at), at);
    if (read === 0) return false;
    checksum = crc32(bytes.subarray(0, read), checksum);
    at += read;
  }
  const stored = readSync(fd, bytes, 0, CHECKSUM_BYTES, length);
  return stored === CHECKSUM_BYTES && bytes.readUInt32LE(0) === checksum;
};
