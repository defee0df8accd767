/** Snapshot and hydrate against each other: what comes back is what was there. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { linuxFileSystem } from "../adapters/linux.ts";
import { hydrate } from "./hydrate/hydrate.ts";
import { createMemoryObjectStore } from "./memory-object-store.ts";
import type { ObjectStore } from "./object-store.ts";
import { snapshotIsWhole } from "./snapshot-is-whole.ts";
import { writeSnapshot } from "./write-snapshot.ts";

const signal = new AbortController().signal;
const prefix = "projects/p/volumes/v";
let root: string;
let store: ObjectStore;
let attempt = 0;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bagage-round-trip-"));
  store = createMemoryObjectStore();
  mkdirSync(join(root, "source/data"), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const snapshot = (copy: string, id: string, parent: string | null) => {
  attempt += 1;
  const directory = join(root, copy, "data");
  return writeSnapshot(
    {
      directory,
      indexFile: join(root, copy, "index"),
      parentIndexFile: join(root, copy, "index"),
      store,
      prefix,
      snapshotId: id,
      epoch: 1,
      attempt: `try-${attempt}`,
      parent,
      fileSystem: linuxFileSystem,
    },
    signal,
  );
};

const restore = (copy: string, id: string, base: string | null = null) => {
  mkdirSync(join(root, copy), { recursive: true });
  return hydrate(
    {
      directory: join(root, copy, "data"),
      indexFile: join(root, copy, "index"),
      store,
      prefix,
      snapshotId: id,
      base:
        base === null
          ? null
          : { directory: join(root, base, "data"), indexFile: join(root, base, "index") },
      fileSystem: linuxFileSystem,
    },
    signal,
  );
};

/** rsync's own opinion of what differs; empty when nothing does. */
const differences = (a: string, b: string): string =>
  execFileSync(
    "rsync",
    [
      "-aHAXSn",
      "--checksum",
      "--itemize-changes",
      "--delete",
      `${join(root, a, "data")}/`,
      `${join(root, b, "data")}/`,
    ],
    { encoding: "utf8" },
  );

const shell = (script: string): void => {
  execFileSync("bash", ["-euc", script], { cwd: join(root, "source/data") });
};

test("39: a tree of all kinds comes back as it was, and its delta in place", async () => {
  shell(`
    mkdir -p a/b/c empty; echo hello > a/x; head -c 3000000 /dev/urandom > a/b/big; truncate -s 50M sparse
    printf data | dd of=sparse bs=1 seek=20000000 conv=notrunc status=none
    ln a/x a/hard; ln -s ../nowhere a/dangling; mkfifo pipe; : > zero; touch -d @1000000000.123456789 a/x
    chmod 4755 a/x; chmod 1777 empty; chown 12:34 zero; setfattr -n user.note -v v1 a/x
    printf n > $'bad\\xff name'; printf q > "new
line"; touch -d @1000000001.5 a/b a; setfacl -m u:33:r zero`);
  const first = await snapshot("source", "snap-0001", null);
  expect(await snapshotIsWhole({ store, prefix, snapshotId: "snap-0001" }, signal)).toBe(true);
  const restored = await restore("target", "snap-0001");
  expect(restored.digest).toBe(first.digest);
  expect(differences("source", "target")).toBe("");

  const same = await snapshot("source", "snap-0002", "snap-0001");
  expect(same.digest).toBe(first.digest);
  shell(`
    rm -r empty a/dangling; echo more >> a/b/big; printf X | dd of=a/b/big bs=1 seek=100000 conv=notrunc status=none
    rm zero; mkdir zero; echo in > zero/in; truncate -s 1M sparse; mv "new
line" renamed; rm a/hard; echo new > a/hard`);
  const second = await snapshot("source", "snap-0003", "snap-0002");
  expect(second.changedBytes).toBeLessThan(200_000);
  const delta = await restore("target", "snap-0003");
  expect(delta.digest).toBe(second.digest);
  expect(delta.fetchedBytes).toBeLessThan(1_200_000);
  expect(differences("source", "target")).toBe("");
  await restore("other", "snap-0003", "target");
  expect(differences("source", "other")).toBe("");

  const back = await snapshot("target", "snap-0004", "snap-0003");
  expect(back).toMatchObject({ digest: second.digest, changedBytes: 0 });
});

test("an unchanged snapshot stores only its own small object", async () => {
  for (let i = 0; i < 3_000; i += 1) writeFileSync(join(root, "source/data", `f${i}`), `file ${i}`);
  await snapshot("source", "snap-0001", null);
  // The files are as young as the first snapshot, so the second one reads them again.
  await snapshot("source", "snap-0002", "snap-0001");
  const third = await snapshot("source", "snap-0003", "snap-0002");
  expect(third.storedBytes).toBeLessThan(4_096);
});
