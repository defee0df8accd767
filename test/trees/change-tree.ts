/** Random changes to a tree, as an application might make them between two snapshots. */
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import * as fc from "fast-check";
import { linuxFileSystem } from "../../adapters/linux.ts";
import {
  anyNode,
  dress,
  join,
  make,
  type NodeSpec,
  randomContent,
  writeContent,
} from "./random-tree.ts";

export interface ChangeSpec {
  readonly pick: number;
  readonly kind:
    | "write"
    | "rewrite-hidden"
    | "truncate"
    | "delete"
    | "rename"
    | "kind"
    | "mode"
    | "xattr"
    | "add";
  readonly node: NodeSpec;
}

export const anyChanges: fc.Arbitrary<ChangeSpec[]> = fc.array(
  fc.record({
    pick: fc.nat(10_000),
    kind: fc.constantFrom(
      "write",
      "rewrite-hidden",
      "truncate",
      "delete",
      "rename",
      "kind",
      "mode",
      "xattr",
      "add",
    ),
    node: anyNode,
  }),
  { maxLength: 12 },
);

export const listPaths = (root: Buffer): Buffer[] =>
  readdirSync(root, { encoding: "buffer" })
    .sort(Buffer.compare)
    .flatMap((name) => {
      const path = join(root, name);
      return lstatSync(path).isDirectory() ? [path, ...listPaths(path)] : [path];
    });

/** Changes the tree in place, as an application might between two snapshots. */
export const changeTree = (root: string, changes: readonly ChangeSpec[]): void => {
  for (const change of changes) {
    const paths = listPaths(Buffer.from(root));
    const path = paths[change.pick % Math.max(1, paths.length)];
    if (path === undefined || change.kind === "add") {
      const directories = [Buffer.from(root), ...paths.filter((p) => lstatSync(p).isDirectory())];
      const parent = directories[change.pick % directories.length] ?? Buffer.from(root);
      const added = join(parent, change.node.name);
      const files = paths.filter((p) => lstatSync(p).isFile());
      if (make(added, change.node, files)) dress(added, change.node);
      continue;
    }
    changeOne(path, change);
  }
};

const changeOne = (path: Buffer, { kind, node }: ChangeSpec): void => {
  const before = lstatSync(path, { bigint: true });
  switch (kind) {
    case "write":
      if (before.isFile()) writeContent(path, "r+", node.content);
      return;
    case "rewrite-hidden":
      // Same size, and the modification time put back: only the change time tells.
      if (!before.isFile() || before.size === 0n) return;
      rewriteInPlace(path, Number(before.size), node.parent);
      linuxFileSystem.setTimes(path, before.mtimeNs);
      return;
    case "truncate":
      if (before.isFile()) truncate(path, node.content.size);
      return;
    case "delete":
      rmSync(path, { recursive: true });
      return;
    case "rename":
      if (lstatSync(sibling(path, node.name), { throwIfNoEntry: false }) !== undefined) return;
      renameSync(path, sibling(path, node.name));
      return;
    case "kind":
      rmSync(path, { recursive: true });
      if (make(path, node, [])) dress(path, node);
      return;
    case "mode":
      if (!before.isSymbolicLink()) chmodSync(path, node.mode);
      return;
    case "xattr":
      if (!before.isFile()) return;
      for (const { name, value } of node.xattrs) linuxFileSystem.setXattr(path, name, value);
      return;
    case "add":
      return;
  }
};

const sibling = (path: Buffer, name: Buffer): Buffer =>
  join(path.subarray(0, path.lastIndexOf(0x2f)), name);

const truncate = (path: Buffer, size: number): void => {
  const fd = openSync(path, "r+");
  ftruncateSync(fd, size);
  closeSync(fd);
};

const rewriteInPlace = (path: Buffer, size: number, seed: number): void => {
  const fd = openSync(path, "r+");
  const bytes = Math.min(size, 100);
  writeSync(fd, randomContent(bytes, seed, false), 0, bytes, seed % (size - bytes + 1));
  closeSync(fd);
};
