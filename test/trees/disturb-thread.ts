/** A thread that changes a tree, by calls and through mappings, while another thread reads it. */
import { lstatSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import { type ChangeSpec, changeTree, listPaths } from "./change-tree.ts";
import type { Disturbance } from "./disturber.ts";
import { mapFile } from "./map-file.ts";
import type { NodeSpec } from "./random-tree.ts";

/** Buffers arrive as plain byte arrays. */
const asBuffer = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);

const restore = ({ node, ...change }: ChangeSpec): ChangeSpec => {
  const xattrs = node.xattrs.map(({ name, value }) => ({ name, value: asBuffer(value) }));
  const names = { name: asBuffer(node.name), target: asBuffer(node.target) };
  const restored: NodeSpec = { ...node, ...names, xattrs };
  return { ...change, node: restored };
};

/** One byte of one file, if there is a file that has any. */
const storeByte = (root: string, pick: number): void => {
  const files = listPaths(Buffer.from(root)).filter((path) => {
    const stat = lstatSync(path);
    return stat.isFile() && stat.size > 0;
  });
  const path = files[pick % Math.max(1, files.length)];
  if (path === undefined) return;
  const { size } = lstatSync(path);
  const map = mapFile(path, size);
  map.write(pick % size, pick);
  map.end();
};

parentPort?.on("message", ({ root, changes }: Disturbance) => {
  for (const change of changes) {
    changeTree(root, [restore(change)]);
    storeByte(root, change.pick);
  }
  parentPort?.postMessage("done");
});
