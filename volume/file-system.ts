/**
 * The system calls that Node has no API for, as a port: volume/ depends on no FFI. Paths are bytes,
 * and the last component is never followed if it is a symbolic link.
 */

/** A path, or the descriptor of an open file or directory. */
export type FileTarget = Buffer | number;

export interface FileSystem {
  /** Extended attributes of the object itself, ordered by name. */
  listXattrs(target: FileTarget): { readonly name: string; readonly value: Buffer }[];
  setXattr(target: FileTarget, name: string, value: Buffer): void;
  removeXattr(target: FileTarget, name: string): void;
  /** Sets access and modification time, in nanoseconds since 1970. */
  setTimes(target: FileTarget, mtimeNs: bigint): void;
  /** The mode is set exactly, whatever the umask. */
  makeFifo(path: Buffer, mode: number): void;
  /** Ranges that hold data, in order; the rest of the file are holes. */
  dataRanges(fd: number, size: number): { readonly offset: number; readonly length: number }[];
  /** Writes back all dirty pages of the file system that the descriptor is on. */
  syncFileSystem(fd: number): void;
}
