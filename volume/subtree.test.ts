/** A folder of a snapshot by itself: what is in it, as it was, and nothing else. */
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { linuxFileSystem } from "../adapters/linux.ts";
import { openVolumePair, PREFIX } from "../test/trees/volume-pair.ts";
import { hydrate } from "./hydrate/hydrate.ts";

const { signal } = new AbortController();

test("a subtree is brought with its links, also those whose first name is outside it", async () => {
  const pair = openVolumePair();
  try {
    writeFileSync(join(pair.source, "a-first"), "linked");
    mkdirSync(join(pair.source, "docs", "deep"), { recursive: true });
    mkdirSync(join(pair.source, "docs-too"));
    writeFileSync(join(pair.source, "docs-too", "not-this"), "x");
    writeFileSync(join(pair.source, "docs", "deep", "text"), "text");
    chmodSync(join(pair.source, "docs"), 0o750);
    linkSync(join(pair.source, "a-first"), join(pair.source, "docs", "one"));
    linkSync(join(pair.source, "a-first"), join(pair.source, "docs", "two"));
    linkSync(join(pair.source, "docs", "deep", "text"), join(pair.source, "docs", "text-too"));
    symlinkSync("deep/text", join(pair.source, "docs", "symlink"));
    const { snapshotId } = await pair.snapshot();
    const directory = join(pair.scratch, "out");
    const { files } = await hydrate(
      {
        store: pair.store,
        prefix: PREFIX,
        snapshotId,
        subtree: Buffer.from("docs"),
        directory,
        indexFile: join(pair.scratch, "index"),
        base: null,
        fileSystem: linuxFileSystem,
      },
      signal,
    );
    expect(files).toBe(2);
    expect(readdirSync(directory).sort()).toEqual(["deep", "one", "symlink", "text-too", "two"]);
    expect(readFileSync(join(directory, "two"), "utf8")).toBe("linked");
    expect(statSync(join(directory, "one")).ino).toBe(statSync(join(directory, "two")).ino);
    expect(statSync(join(directory, "symlink")).ino).toBe(
      statSync(join(directory, "text-too")).ino,
    );
    expect(statSync(directory).mode & 0o777).toBe(0o750);
  } finally {
    pair.remove();
  }
});
