/**
 * Random trees of every kind of object that a volume may hold, and random changes to them, for the
 * properties of snapshots. What is made depends on the specification alone, so a failure shrinks.
 */
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import * as fc from "fast-check";
import { linuxFileSystem } from "../../adapters/linux.ts";

export interface NodeSpec {
  /** Which of the directories so far it goes into. */
  readonly parent: number;
  readonly name: Buffer;
  readonly kind: "directory" | "file" | "symlink" | "hardlink" | "fifo";
  readonly mode: number;
  readonly owner: readonly [number, number];
  readonly mtimeNs: bigint;
  readonly xattrs: readonly { readonly name: string; readonly value: Buffer }[];
  readonly content: ContentSpec;
  /** A symlink's target; a hard link's number among the files so far. */
  readonly target: Buffer;
}

/** Pieces of data written at offsets; what lies between them is a hole. */
export interface ContentSpec {
  readonly pieces: readonly {
    readonly offset: number;
    readonly bytes: number;
    readonly seed: number;
    readonly isText: boolean;
  }[];
  readonly size: number;
}

const PIECE_BYTES_MAX = 40_000;
const FILE_BYTES_MAX = 200_000;

const anyName: fc.Arbitrary<Buffer> = fc
  .oneof(
    { weight: 6, arbitrary: fc.string({ minLength: 1, maxLength: 12 }).map((s) => Buffer.from(s)) },
    {
      weight: 3,
      arbitrary: fc.uint8Array({ minLength: 1, maxLength: 20 }).map((b) => Buffer.from(b)),
    },
    { weight: 1, arbitrary: fc.constant(Buffer.alloc(255, 0x78)) },
    { weight: 1, arbitrary: fc.constantFrom("a\nb", "'\"", "-a", "a b", "é", "a\\b").map(toBytes) },
  )
  .map((name) => Buffer.from(name.filter((byte) => byte !== 0 && byte !== 0x2f)).subarray(0, 255))
  .filter((name) => name.length > 0 && !name.equals(toBytes(".")) && !name.equals(toBytes("..")));

function toBytes(text: string): Buffer {
  return Buffer.from(text);
}

const anyContent: fc.Arbitrary<ContentSpec> = fc.record({
  pieces: fc.array(
    fc.record({
      offset: fc.nat(FILE_BYTES_MAX),
      bytes: fc.oneof(fc.nat(500), fc.nat(PIECE_BYTES_MAX)),
      seed: fc.nat(1_000_000),
      isText: fc.boolean(),
    }),
    { maxLength: 3 },
  ),
  size: fc.oneof(fc.constant(0), fc.nat(20_000), fc.nat(FILE_BYTES_MAX)),
});

/** POSIX ACL as the kernel stores it (linux/posix_acl_xattr.h): version 2, tag, permissions, id. */
const acl = (uid: number): Buffer => {
  const entries = [
    [0x01, 7, 0xffffffff],
    [0x02, 5, uid],
    [0x04, 5, 0xffffffff],
    [0x10, 7, 0xffffffff],
    [0x20, 4, 0xffffffff],
  ];
  const bytes = Buffer.alloc(4 + entries.length * 8);
  bytes.writeUInt32LE(2, 0);
  for (const [i, [tag = 0, permissions = 0, id = 0]] of entries.entries()) {
    bytes.writeUInt16LE(tag, 4 + i * 8);
    bytes.writeUInt16LE(permissions, 6 + i * 8);
    bytes.writeUInt32LE(id, 8 + i * 8);
  }
  return bytes;
};

const anyXattr = fc.oneof(
  fc.record({
    name: fc.constantFrom("user.a", "user.b", "trusted.c", "security.d"),
    value: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  }),
  fc.record({
    name: fc.constant("system.posix_acl_access"),
    value: fc.nat(5_000).map(acl),
  }),
);

const NS_PER_S = 1_000_000_000n;

export const anyNode: fc.Arbitrary<NodeSpec> = fc.record({
  parent: fc.nat(1_000),
  name: anyName,
  kind: fc.oneof(
    { weight: 6, arbitrary: fc.constant("file" as const) },
    { weight: 3, arbitrary: fc.constant("directory" as const) },
    { weight: 1, arbitrary: fc.constantFrom("symlink", "hardlink", "fifo") },
  ),
  mode: fc.nat(0o7777),
  owner: fc.tuple(fc.nat(70_000), fc.nat(70_000)),
  mtimeNs: fc
    .tuple(fc.integer({ min: -1_000, max: 2_000_000_000 }), fc.nat(999_999_999))
    .map(([s, ns]) => BigInt(s) * NS_PER_S + BigInt(ns)),
  xattrs: fc.array(anyXattr, { maxLength: 2 }),
  content: anyContent,
  target: anyName,
});

export const anyTree: fc.Arbitrary<NodeSpec[]> = fc.array(anyNode, { maxLength: 40 });

export const join = (directory: Buffer, name: Buffer): Buffer =>
  Buffer.concat([directory, Buffer.from("/"), name]);

/** Makes the tree below an existing directory. Specifications that can't be are passed over. */
export const growTree = (root: string, specs: readonly NodeSpec[]): void => {
  const directories: Buffer[] = [Buffer.from(root)];
  const files: Buffer[] = [];
  const made: { readonly path: Buffer; readonly spec: NodeSpec }[] = [];
  for (const spec of specs) {
    const parent = directories[spec.parent % directories.length] ?? Buffer.from(root);
    const path = join(parent, spec.name);
    if (!make(path, spec, files)) continue;
    if (spec.kind === "directory") directories.push(path);
    if (spec.kind === "file") files.push(path);
    made.push({ path, spec });
  }
  // Children first: making a child changes its directory's time.
  for (const { path, spec } of made.reverse()) dress(path, spec);
  linuxFileSystem.setTimes(Buffer.from(root), 1_234_567_890_123_456_789n);
};

/** False when there is something at the path already. */
export const make = (path: Buffer, spec: NodeSpec, files: readonly Buffer[]): boolean => {
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) return false;
  switch (spec.kind) {
    case "directory":
      mkdirSync(path);
      return true;
    case "file":
      writeContent(path, "wx", spec.content);
      return true;
    case "symlink":
      symlinkSync(spec.target, path);
      return true;
    case "fifo":
      linuxFileSystem.makeFifo(path, 0o600);
      return true;
    case "hardlink": {
      const target = files[spec.parent % Math.max(1, files.length)];
      if (target === undefined) return false;
      linkSync(target, path);
      return true;
    }
  }
};

export const dress = (path: Buffer, spec: NodeSpec): void => {
  lchownSync(path, ...spec.owner);
  const takesUserXattrs = spec.kind === "file" || spec.kind === "directory";
  if (spec.kind !== "symlink") chmodSync(path, spec.mode);
  for (const { name, value } of takesUserXattrs ? spec.xattrs : []) {
    linuxFileSystem.setXattr(path, name, value);
  }
  linuxFileSystem.setTimes(path, spec.mtimeNs);
};

/** A small generator (xorshift32): the same seed gives the same bytes. */
export const randomContent = (bytes: number, seed: number, isText: boolean): Buffer => {
  const content = Buffer.alloc(bytes);
  let state = seed * 2_654_435_761 + 1;
  for (let i = 0; i < bytes; i += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    content[i] = isText ? 97 + ((state >>> 8) % 5) : state >>> 8;
  }
  return content;
};

export const writeContent = (path: Buffer, flags: string, content: ContentSpec): void => {
  const fd = openSync(path, flags);
  try {
    for (const { offset, bytes, seed, isText } of content.pieces) {
      writeSync(fd, randomContent(bytes, seed, isText), 0, bytes, offset);
    }
    const end = Math.max(0, ...content.pieces.map(({ offset, bytes }) => offset + bytes));
    if (flags === "wx") ftruncateSync(fd, Math.max(end, content.size));
  } finally {
    closeSync(fd);
  }
};
