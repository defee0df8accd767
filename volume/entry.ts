/** One object of a volume's tree, and where a file's bytes stand in the store. */

export type Codec = "raw" | "zstd" | "sealed-raw" | "sealed-zstd";

/** A run of bytes in a pack that is compressed and verified as a whole. */
export interface Frame {
  /** Pack name below the volume's prefix. */
  readonly pack: string;
  readonly offset: number;
  readonly storedBytes: number;
  readonly rawBytes: number;
  readonly codec: Codec;
  /** SHA-256 of the stored bytes, so that nothing unverified reaches a decompressor. */
  readonly digest: string;
}

/** `length` bytes of the file from `offset` are the frame's raw bytes from `frameOffset`. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
  readonly frame: Frame;
  readonly frameOffset: number;
}

interface Common {
  /** Relative to the volume's root, `/` between components; empty: the root itself. */
  readonly path: Buffer;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
  readonly xattrs: readonly { readonly name: string; readonly value: Buffer }[];
}

export interface DirectoryEntry extends Common {
  readonly type: "directory";
}

export interface FileEntry extends Common {
  readonly type: "file";
  readonly size: number;
  /** See block-digests.ts: equal content has an equal digest, whatever its holes and extents. */
  readonly digest: string;
  readonly extents: readonly Extent[];
}

export interface SymlinkEntry extends Common {
  readonly type: "symlink";
  readonly target: Buffer;
}

/** A further name of a file that stands earlier in the tree. */
export interface HardlinkEntry extends Common {
  readonly type: "hardlink";
  readonly target: Buffer;
}

export interface FifoEntry extends Common {
  readonly type: "fifo";
}

export type Entry = DirectoryEntry | FileEntry | SymlinkEntry | HardlinkEntry | FifoEntry;

/** Order of the tree: a directory, then all below it, then its next sibling, by bytes. */
export const comparePaths = (a: Buffer, b: Buffer): number => {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) {
    const x = a[i] === SLASH ? 0 : (a[i] ?? 0);
    const y = b[i] === SLASH ? 0 : (b[i] ?? 0);
    if (x !== y) return x - y;
  }
  return a.length - b.length;
};

export const SLASH = 0x2f;
