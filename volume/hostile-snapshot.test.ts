/** Snapshots that no honest program wrote: each is refused, and nothing outside is touched. */
import { createHash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { expect, test } from "vitest";
import { openVolumePair, PREFIX, type VolumePair } from "../test/trees/volume-pair.ts";
import { createBlockDigests } from "./block-digests.ts";
import { describeEntry } from "./content-digest.ts";
import { sha256 } from "./digest.ts";
import type { Entry } from "./entry.ts";
import type { ObjectStore } from "./object-store.ts";
import { encodeSnapshot, type Snapshot } from "./snapshot.ts";
import { encodeSegment, serializeSegment } from "./tree.ts";

const COMMON = { mode: 0o755, uid: 0, gid: 0, mtimeNs: 0n, xattrs: [] };
const directory = (path: string): Entry => ({
  ...COMMON,
  type: "directory",
  path: Buffer.from(path),
});
const file = (path: string | Buffer): Entry => ({
  ...COMMON,
  type: "file",
  path: Buffer.from(path),
  size: 0,
  digest: createBlockDigests().digestFile(0),
  extents: [],
});
const link = (type: "symlink" | "hardlink", path: string, target: string): Entry => ({
  ...COMMON,
  type,
  path: Buffer.from(path),
  target: Buffer.from(target),
});
const root = directory("");

/** Stores a snapshot that is well formed and whole in every digest; only its meaning is hostile. */
const plant = async (
  pair: VolumePair,
  entries: readonly Entry[],
  claims: Partial<Snapshot> = {},
): Promise<void> => {
  const stored = await encodeSegment(serializeSegment(entries));
  const content = createHash("sha256");
  for (const entry of entries) content.update(`${describeEntry(entry)}\n`);
  const contentDigest = content.digest("hex");
  const snapshot: Snapshot = {
    format: 1,
    id: "hostile",
    epoch: 1,
    attempt: "a1",
    parent: null,
    digest: sha256(contentDigest),
    files: 1,
    bytes: 0,
    segments: [["e1/a1/t-0", sha256(stored), stored.length, entries.length, contentDigest]],
    packs: [],
    ...claims,
  };
  pair.store.objects.set(`${PREFIX}/e1/a1/t-0`, stored);
  pair.store.objects.set(`${PREFIX}/snapshots/hostile`, await encodeSnapshot(snapshot));
};

/** Beside the copy's data, where `../outside` leads. */
const outside = (pair: VolumePair): string => `${pair.scratch}/copy/outside`;

const withPair = async (use: (pair: VolumePair) => Promise<void>): Promise<void> => {
  const pair = openVolumePair();
  try {
    mkdirSync(outside(pair), { recursive: true });
    mkdirSync(pair.pathOf("copy"), { recursive: true });
    writeFileSync(`${outside(pair)}/kept`, "kept");
    await use(pair);
    expect(readdirSync(outside(pair))).toEqual(["kept"]);
    expect(existsSync("/evil")).toBe(false);
    expect(existsSync(`${pair.pathOf("copy")}/../evil`)).toBe(false);
  } finally {
    pair.remove();
  }
};

test("the planted form is accepted when it means no harm", async () => {
  await withPair(async (pair) => {
    await plant(pair, [root, file("a"), link("hardlink", "b", "a"), directory("c"), file("c/d")]);
    await pair.hydrateTo("copy", "hostile");
    expect(readdirSync(pair.pathOf("copy"))).toEqual(["a", "b", "c"]);
  });
});

const HOSTILE: readonly (readonly [string, readonly Entry[]])[] = [
  ["a path that climbs", [root, file("../evil")]],
  ["a path that climbs from within", [root, directory("a"), file("a/../../evil")]],
  ["a path that is dot", [root, file(".")]],
  ["a path that is dot dot", [root, directory("..")]],
  ["an absolute path", [root, file("/evil")]],
  ["a path with an empty component", [root, directory("a"), file("a//b")]],
  ["a path with NUL", [root, file(Buffer.from("a\0b"))]],
  ["a name of 256 bytes", [root, file("x".repeat(256))]],
  ["a path longer than a file system takes", [root, file(`${"x/".repeat(3_000)}y`)]],
  ["a file below a link", [root, link("symlink", "a", "../outside"), file("a/evil")]],
  ["a file below a file", [root, file("a"), file("a/b")]],
  ["a file below a directory that is not in it", [root, file("a/b")]],
  ["the same name twice", [root, file("a"), file("a")]],
  ["a link and then a file of its name", [root, link("symlink", "a", "../outside/e"), file("a")]],
  ["entries out of order", [root, file("b"), file("a")]],
  ["a hard link out of the root", [root, link("hardlink", "a", "../outside/kept")]],
  ["a hard link to an absolute path", [root, link("hardlink", "a", "/etc/passwd")]],
  [
    "a hard link through a link",
    [root, link("symlink", "a", "../outside"), link("hardlink", "b", "a/kept")],
  ],
  ["a hard link to a directory", [root, directory("a"), link("hardlink", "b", "a")]],
  ["a hard link to a later file", [root, link("hardlink", "a", "b"), file("b")]],
  ["a root that is a file", [file("")]],
  ["a root that is a link", [link("symlink", "", "../outside")]],
  ["a tree without a root", [file("a")]],
];

test.for(HOSTILE)("48: %s is refused", async ([, entries]) => {
  await withPair(async (pair) => {
    await plant(pair, entries);
    await expect(pair.hydrateTo("copy", "hostile")).rejects.toMatchObject({
      name: "TerminalError",
    });
  });
});

const deep = Array.from({ length: 600 }, (_, i) => directory(`${"d/".repeat(i)}d`));

test("49: directories swapped for links while restoring: no byte goes where the links lead", async () => {
  let swap = (): void => undefined;
  const over = (store: ObjectStore): ObjectStore => ({
    ...store,
    get: (...call) => {
      swap();
      return store.get(...call);
    },
  });
  const pair = openVolumePair(undefined, over);
  const away = `${pair.scratch}/away`;
  try {
    for (const name of ["a", "a/b", "c"]) {
      mkdirSync(`${pair.source}/${name}`);
      for (let n = 0; n < 20; n += 1) writeFileSync(`${pair.source}/${name}/f${n}`, `${name}${n}`);
    }
    await pair.snapshot();
    mkdirSync(away);
    await pair.hydrateTo("copy", "s1");
    rmSync(`${pair.pathOf("copy")}/a/f1`);
    let swaps = 0;
    swap = () => {
      for (const name of ["a/b", "a", "c"]) {
        const at = `${pair.pathOf("copy")}/${name}`;
        if (!existsSync(at) || lstatSync(at).isSymbolicLink()) continue;
        swaps += 1;
        renameSync(at, `${pair.scratch}/moved-${swaps}`);
        symlinkSync(away, at);
      }
    };
    await pair.hydrateTo("copy", "s1").catch(() => undefined);
    expect(swaps).toBeGreaterThan(0);
    expect(readdirSync(away)).toEqual([]);
  } finally {
    pair.remove();
  }
});

test("50: directories nested without end are refused", async () => {
  await withPair(async (pair) => {
    await plant(pair, [root, ...deep]);
    await expect(pair.hydrateTo("copy", "hostile")).rejects.toThrow(/refused/);
  });
});

test("50: 10^12 files and a petabyte are refused before anything is fetched for them", async () => {
  await withPair(async (pair) => {
    const stored: Snapshot["segments"][number] = [
      "e1/a1/t-0",
      "0".repeat(64),
      1,
      1e12,
      "0".repeat(64),
    ];
    await plant(pair, [root], { segments: [stored] });
    await expect(pair.hydrateTo("copy", "hostile")).rejects.toThrow(/refused/);
    await plant(pair, [root], { bytes: 2 ** 50 });
    await expect(pair.hydrateTo("copy", "hostile")).rejects.toThrow(/refused/);
  });
});

test("50: a file larger than the snapshot's own count of bytes is refused", async () => {
  await withPair(async (pair) => {
    await plant(pair, [
      root,
      { ...(file("a") as Extract<Entry, { type: "file" }>), size: 2 ** 50 },
    ]);
    await expect(pair.hydrateTo("copy", "hostile")).rejects.toThrow(/refused/);
  });
});
