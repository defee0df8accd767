import { closeSync, fstatSync, mkdtempDisposableSync, openSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { createIndex } from "./local-index.ts";

const SNAPSHOT = { snapshotId: "s", isSealed: false };

// Closing it twice closed whatever file had got its number meanwhile.
test("an index in its place is closed once, although what came after it failed", async () => {
  using folder = mkdtempDisposableSync(path.join(tmpdir(), "bagage-index-"));
  const index = createIndex(path.join(folder.path, "index"), SNAPSHOT);
  index.end(new Map());
  await index.commit();
  const others = Array.from({ length: 8 }, () => openSync(path.join(folder.path, "index"), "r"));
  index.abandon();
  await setImmediate();
  for (const fd of others) expect(fstatSync(fd).isFile()).toBe(true);
  for (const fd of others) closeSync(fd);
});
