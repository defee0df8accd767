/**
 * The system calls that Node has no API for, as a port: volume/ depends on no FFI. Paths are bytes,
 * and the last component is never followed if it is a symbolic link.
 */

export type FileKind =
  | "file"
  | "directory"
  | "symlink"
  | "fifo"
  | "socket"
  | "character-device"
  | "block-device";

export interface FileStat {
  readonly kind: FileKind;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly nlink: number;
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly ctimeNs: bigint;
  readonly mtimeNs: bigint;
}

/** A path, or the descriptor of an open file or directory. */
export type FileTarget = Buffer | number;

export interface FileSystem {
  /** URL of a module that exports the same as `fileSystem`: threads can't be sent functions. */
  readonly module: string;
  /**
   * The object of that name in an open directory, itself if it is a link. Throws with the errno as
   * `code`, as Node's own calls do.
   */
  statAt(directoryFd: number, name: Buffer): FileStat;
  /** Extended attributes of the object itself, ordered by name. */
  listXattrs(target: FileTarget): { readonly name: string; readonly value: Buffer }[];
  setXattr(target: FileTarget, name: string, value: Buffer): void;
  removeXattr(target: FileTarget, name: string): void;
  /** Sets access and modification time, in nanoseconds since 1970. */
  setTimes(target: FileTarget, mtimeNs: bigint): void;
  /** The mode is set exactly, whatever the umask. */
  makeFifo(path: Buffer, mode: number): void;
  /** The first run of data in [from, to); null: all of it is a hole. */
  nextData(
    fd: number,
    from: number,
    to: number,
  ): { readonly offset: number; readonly length: number } | null;
  /**
   * Writes back all dirty pages of the file system that the descriptor is on. Rejects when that has
   * failed at any time since the descriptor was opened.
   */
  syncFileSystem(fd: number): Promise<void>;
  /** Makes `toFd` share all data of `fromFd`, at one point in time. False: not on this file system. */
  cloneFile(fromFd: number, toFd: number): boolean;
  /**
   * Where the file's data lie on the device, in file order, dirty pages written. What was never written
   * to is left out, as holes are. Null: unknown.
   */
  extentMap(fd: number): PhysicalExtent[] | null;
  /** Makes the range read as zeros, as a hole where the file system can. The size stays. */
  punchHole(fd: number, offset: number, length: number): void;
}

/** In bytes. */
export interface FileRange {
  readonly offset: number;
  readonly length: number;
}

/** A run of a file's data on the device. */
export interface PhysicalExtent {
  readonly offset: number;
  readonly length: number;
  readonly physical: number;
  /** Written, at a known place, as it is, and shared: equal places mean equal data. */
  readonly isComparable: boolean;
}
