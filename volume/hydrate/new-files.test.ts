import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { describeTree } from "../../test/trees/describe-tree.ts";
import { openVolumePair, type VolumePair } from "../../test/trees/volume-pair.ts";

/** So many that threads write them. */
const FILES = 200;

let pair: VolumePair;

afterEach(() => pair.remove());

/** Files of all owners and modes in some directories, every tenth with a name in another directory. */
const growFiles = (root: string): void => {
  for (let i = 0; i < FILES; i += 1) {
    const directory = join(root, `d${i % 7}`, `e${i % 3}`);
    mkdirSync(directory, { recursive: true });
    const file = join(directory, `f${i}`);
    writeFileSync(file, `${i} `.repeat(1 + ((i * 37) % 3_000)));
    if (i % 5 === 0) truncateSync(file, 20_000);
    chownSync(file, i % 4, i % 3);
    chmodSync(file, [0o644, 0o600, 0o4755, 0o2070, 0o1000, 0][i % 6] ?? 0);
    if (i % 10 === 0) {
      mkdirSync(join(root, "names"), { recursive: true });
      linkSync(file, join(root, `d${i % 7}`, `e${i % 3}`, `z-name-${i}`));
      linkSync(file, join(root, "names", `n${i}`));
    }
    lutimesSync(file, 1_000_000 + i, 2_000_000 + i + 0.25);
  }
};

test("files that were not there are whole, with all their metadata and names", async () => {
  pair = openVolumePair();
  growFiles(pair.source);
  execFileSync("setfattr", ["-n", "user.kind", "-v", "a", join(pair.source, "d1/e1/f1")]);
  await pair.snapshot();
  const { files } = await pair.hydrateTo("y", "s1");
  expect(files).toBe(FILES);
  expect(describeTree(pair.pathOf("y"))).toEqual(describeTree(pair.source));
});

test("new files do not keep what a directory that was there would give them", async () => {
  pair = openVolumePair();
  mkdirSync(join(pair.source, "d1"));
  await pair.snapshot();
  await pair.hydrateTo("y", "s1");
  growFiles(pair.source);
  await pair.snapshot();
  const directory = join(pair.pathOf("y"), "d1");
  execFileSync("setfacl", ["-d", "-m", "u:7:rwx", directory]);
  chownSync(directory, 5, 5);
  chmodSync(directory, 0o2777);
  await pair.hydrateTo("y", "s2");
  expect(describeTree(pair.pathOf("y"))).toEqual(describeTree(pair.source));
});

test("the index knows each file that was written as it is, also those with further names", async () => {
  pair = openVolumePair();
  growFiles(pair.source);
  await pair.snapshot();
  await pair.hydrateTo("y", "s1");
  const again = await pair.hydrateTo("y", "s1");
  expect(again.reusedBytes).toBe(again.bytes);
});

test("a damaged pack ends the hydrate with what is damaged, whichever thread finds it", async () => {
  pair = openVolumePair();
  growFiles(pair.source);
  await pair.snapshot();
  for (const [key, body] of pair.store.objects) {
    if (/\/p-\d+$/.test(key)) body[body.length >> 1] = (body[body.length >> 1] ?? 0) ^ 1;
  }
  await expect(pair.hydrateTo("y", "s1")).rejects.toMatchObject({ code: "frame-corrupt" });
});
