/**
 * The few system calls that Node has no API for, through koffi: an FFI that ships its binaries and
 * needs no compiler. Signatures from the Linux man pages (2) named at each call.
 */
import { constants as osConstants } from "node:os";
import koffi from "koffi";
import { TerminalError } from "../volume/errors.ts";
import type { FileSystem } from "../volume/file-system.ts";

const libc = koffi.load("libc.so.6");
koffi.struct("bagage_timespec", { tv_sec: "int64", tv_nsec: "int64" });

/** listxattr(2), getxattr(2), setxattr(2): the forms that do not follow a link. */
const llistxattr = libc.func("int64 llistxattr(const void *path, void *list, size_t size)");
const lgetxattr = libc.func(
  "int64 lgetxattr(const void *path, const char *name, void *value, size_t size)",
);
const lsetxattr = libc.func(
  "int lsetxattr(const void *path, const char *name, const void *value, size_t size, int flags)",
);
const lremovexattr = libc.func("int lremovexattr(const void *path, const char *name)");
/** utimensat(2) */
const utimensat = libc.func(
  "int utimensat(int dirfd, const void *path, const bagage_timespec *times, int flags)",
);
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

const fail = (call: string, path: string): never => {
  const errno = koffi.errno();
  const code =
    Object.entries(osConstants.errno).find(([, value]) => value === errno)?.[0] ?? String(errno);
  const cause = Object.assign(new Error(`${call}: ${code}`), { code, errno, syscall: call, path });
  throw code === "ENOENT" || code === "ELOOP"
    ? cause
    : new TerminalError(`${call} ${path}: ${code}`, {
        code: "system-call-failed",
        data: { errno: code },
        cause,
      });
};

const listNames = (path: Buffer): string[] => {
  const list = Buffer.alloc(XATTR_LIST_BYTES);
  const bytes = Number(llistxattr(cString(path), list, list.length));
  if (bytes < 0) return koffi.errno() === EOPNOTSUPP ? [] : fail("llistxattr", path.toString());
  return list
    .subarray(0, bytes)
    .toString("utf8")
    .split("\0")
    .filter((name) => name !== "")
    .sort();
};

const readXattr = (path: Buffer, name: string): Buffer | null => {
  for (let size = 1_024; ; size *= 8) {
    const value = Buffer.alloc(size);
    const bytes = Number(lgetxattr(cString(path), name, value, size));
    if (bytes >= 0) return value.subarray(0, bytes);
    if (koffi.errno() === ENODATA) return null;
    if (koffi.errno() !== ERANGE) return fail("lgetxattr", path.toString());
  }
};

export const linuxFileSystem: FileSystem = {
  listXattrs: (path) =>
    listNames(path).flatMap((name) => {
      const value = readXattr(path, name);
      return value === null ? [] : [{ name, value }];
    }),
  setXattr: (path, name, value) => {
    if (lsetxattr(cString(path), name, value, value.length, 0) !== 0) {
      fail("lsetxattr", path.toString());
    }
  },
  removeXattr: (path, name) => {
    if (lremovexattr(cString(path), name) !== 0) fail("lremovexattr", path.toString());
  },
  setTimes: (path, mtimeNs) => {
    const sec = mtimeNs / NS_PER_S - (mtimeNs % NS_PER_S < 0n ? 1n : 0n);
    const time = { tv_sec: sec, tv_nsec: mtimeNs - sec * NS_PER_S };
    if (utimensat(AT_FDCWD, cString(path), [time, time], AT_SYMLINK_NOFOLLOW) !== 0) {
      fail("utimensat", path.toString());
    }
  },
  makeFifo: (path, mode) => {
    if (mkfifo(cString(path), mode) !== 0) fail("mkfifo", path.toString());
  },
  dataRanges: (fd, size) => {
    const ranges: { offset: number; length: number }[] = [];
    let at = 0;
    while (at < size) {
      const start = Number(lseek(fd, at, SEEK_DATA));
      if (start < 0) {
        if (koffi.errno() === ENXIO) break;
        // A file system without the notion: all of it is data.
        return [{ offset: 0, length: size }];
      }
      const end = Math.min(size, Number(lseek(fd, start, SEEK_HOLE)));
      if (end <= start) break;
      ranges.push({ offset: start, length: end - start });
      at = end;
    }
    return ranges;
  },
  syncFileSystem: (fd) => {
    if (syncfs(fd) !== 0) fail("syncfs", String(fd));
  },
};
