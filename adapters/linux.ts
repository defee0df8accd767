/**
 * The few system calls that Node has no API for, through koffi: an FFI that ships its binaries and
 * needs no compiler. Signatures from the Linux man pages (2) named at each call.
 */
import { chmodSync } from "node:fs";
import { constants as osConstants } from "node:os";
import koffi from "koffi";
import { TerminalError } from "../volume/errors.ts";
import type { FileSystem, FileTarget } from "../volume/file-system.ts";
import { cloneFile, extentMap, punchHole } from "./linux-extents.ts";
import { statAt } from "./linux-stat.ts";

const libc = koffi.load("libc.so.6");

/** listxattr(2), getxattr(2), setxattr(2), removexattr(2): the forms that do not follow a link. */
const llistxattr = libc.func("int64 llistxattr(const void *path, void *list, size_t size)");
const flistxattr = libc.func("int64 flistxattr(int fd, void *list, size_t size)");
const lgetxattr = libc.func(
  "int64 lgetxattr(const void *path, const char *name, void *value, size_t size)",
);
const fgetxattr = libc.func("int64 fgetxattr(int fd, const char *name, void *value, size_t size)");
const lsetxattr = libc.func(
  "int lsetxattr(const void *path, const char *name, const void *value, size_t size, int flags)",
);
const fsetxattr = libc.func(
  "int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)",
);
const lremovexattr = libc.func("int lremovexattr(const void *path, const char *name)");
const fremovexattr = libc.func("int fremovexattr(int fd, const char *name)");
/** utimensat(2), futimens(3) */
const utimensat = libc.func(
  "int utimensat(int dirfd, const void *path, const void *times, int flags)",
);
const futimens = libc.func("int futimens(int fd, const void *times)");
/** mkfifo(3) */
const mkfifo = libc.func("int mkfifo(const void *path, uint mode)");
/** lseek(2) */
const lseek = libc.func("int64 lseek(int fd, int64 offset, int whence)");
/** syncfs(2) */
const syncfs = libc.func("int syncfs(int fd)");

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const NS_PER_S = 1_000_000_000n;
const { ENXIO, ENODATA, ERANGE } = osConstants.errno;
const EOPNOTSUPP = osConstants.errno.EOPNOTSUPP;
/** Most file systems keep all names of a file within this; a longer list is asked for again. */
const XATTR_LIST_BYTES = 65_536;

const cString = (path: Buffer): Buffer => Buffer.concat([path, Buffer.of(0)]);

const fail = (call: string, target: FileTarget): never => {
  throw systemError(call, target);
};

const systemError = (call: string, target: FileTarget): Error => {
  const errno = koffi.errno();
  const path = typeof target === "number" ? `descriptor ${target}` : target.toString();
  const code =
    Object.entries(osConstants.errno).find(([, value]) => value === errno)?.[0] ?? String(errno);
  const cause = Object.assign(new Error(`${call}: ${code}`), { code, errno, syscall: call, path });
  return code === "ENOENT" || code === "ELOOP"
    ? cause
    : new TerminalError(`${call} ${path}: ${code}`, {
        code: "system-call-failed",
        hint: hintFor(code),
        data: { errno: code },
        cause,
      });
};

const hintFor = (code: string): string =>
  code === "EOPNOTSUPP" || code === "ENOTSUP"
    ? "this file system does not take such attributes; use one that does"
    : "check that the node runs as root, and the health of the file system";

/** One buffer for all calls: they are synchronous, and most files have no attribute at all. */
const list = Buffer.alloc(XATTR_LIST_BYTES);

/**
 * Attributes that mean the same on every file system. XFS lists each ACL a second time under a name of
 * its own, and btrfs its settings; they can't be set elsewhere, and say nothing of the content.
 */
const isPortable = (name: string): boolean =>
  /^(user|trusted|security)\./.test(name)
    ? !name.startsWith("trusted.SGI_ACL_")
    : name.startsWith("system.posix_acl_");

const listNames = (target: FileTarget): string[] => {
  const bytes = Number(
    typeof target === "number"
      ? flistxattr(target, list, list.length)
      : llistxattr(cString(target), list, list.length),
  );
  if (bytes < 0) return koffi.errno() === EOPNOTSUPP ? [] : fail("listxattr", target);
  if (bytes === 0) return [];
  return list.subarray(0, bytes).toString("utf8").split("\0").filter(isPortable).sort();
};

const readXattr = (target: FileTarget, name: string): Buffer | null => {
  for (let size = 1_024; ; size *= 8) {
    const value = Buffer.alloc(size);
    const bytes = Number(
      typeof target === "number"
        ? fgetxattr(target, name, value, size)
        : lgetxattr(cString(target), name, value, size),
    );
    if (bytes >= 0) return value.subarray(0, bytes);
    if (koffi.errno() === ENODATA) return null;
    if (koffi.errno() !== ERANGE) return fail("getxattr", target);
  }
};

/** Two equal `struct timespec` of 64-bit fields: seconds rounded down, nanoseconds from there. */
const timespecs = (timeNs: bigint): Buffer => {
  const seconds = timeNs / NS_PER_S - (timeNs % NS_PER_S < 0n ? 1n : 0n);
  const bytes = Buffer.alloc(32);
  for (const at of [0, 16]) {
    bytes.writeBigInt64LE(seconds, at);
    bytes.writeBigInt64LE(timeNs - seconds * NS_PER_S, at + 8);
  }
  return bytes;
};

export const linuxFileSystem: FileSystem = {
  module: import.meta.url,
  statAt,
  listXattrs: (target) =>
    listNames(target).flatMap((name) => {
      const value = readXattr(target, name);
      return value === null ? [] : [{ name, value }];
    }),
  setXattr: (target, name, value) => {
    const result =
      typeof target === "number"
        ? fsetxattr(target, name, value, value.length, 0)
        : lsetxattr(cString(target), name, value, value.length, 0);
    if (result !== 0) fail(`setxattr ${name}`, target);
  },
  removeXattr: (target, name) => {
    const result =
      typeof target === "number" ? fremovexattr(target, name) : lremovexattr(cString(target), name);
    if (result !== 0 && koffi.errno() !== ENODATA) fail(`removexattr ${name}`, target);
  },
  setTimes: (target, mtimeNs) => {
    const times = timespecs(mtimeNs);
    const result =
      typeof target === "number"
        ? futimens(target, times)
        : utimensat(AT_FDCWD, cString(target), times, AT_SYMLINK_NOFOLLOW);
    if (result !== 0) fail("utimensat", target);
  },
  makeFifo: (path, mode) => {
    if (mkfifo(cString(path), mode) !== 0) fail("mkfifo", path);
    chmodSync(path, mode);
  },
  nextData: (fd, from, to) => {
    const start = Number(lseek(fd, from, SEEK_DATA));
    if (start < 0) {
      // A file system without the notion: all of it is data.
      return koffi.errno() === ENXIO ? null : { offset: from, length: to - from };
    }
    if (start >= to) return null;
    const end = Number(lseek(fd, start, SEEK_HOLE));
    return { offset: start, length: (end > start ? Math.min(end, to) : to) - start };
  },
  cloneFile,
  extentMap,
  punchHole,
  syncFileSystem: (fd) =>
    new Promise((resolve, reject) => {
      syncfs.async(fd, (error: unknown, result: number) => {
        if (error !== null) reject(error);
        else if (result === 0) resolve();
        else reject(systemError("syncfs", fd));
      });
    }),
};

/** The name by which the engine's threads find it. */
export const fileSystem = linuxFileSystem;
