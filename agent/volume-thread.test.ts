/** The engine's thread tells of its store calls, to whoever asked for the work. */
import { AsyncLocalStorage } from "node:async_hooks";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startVolumeThread } from "./volume-thread.ts";

test("each store call of a snapshot is told once, in the context of its caller", async () => {
  const root = mkdtempSync(join(tmpdir(), "volume-thread-"));
  const asker = new AsyncLocalStorage<string>();
  const heard: string[] = [];
  const store = { url: `file:${root}/store`, endpoints: [], region: "" };
  const volumes = startVolumeThread(
    { ...store, accessKeyId: "", secretAccessKey: "" },
    ({ operation, outcome }) => heard.push(`${asker.getStore()} ${operation} ${outcome}`),
  );
  try {
    mkdirSync(join(root, "data"));
    writeFileSync(join(root, "data", "file"), "content");
    const indexFile = join(root, "index");
    const request = {
      ...{ prefix: "p/", directory: join(root, "data"), indexFile, parentIndexFile: indexFile },
      ...{ snapshotId: "s1", epoch: 1, attempt: "a", parent: null },
    };
    const signal = AbortSignal.timeout(60_000);
    const { storedBytes } = await asker.run("me", () => volumes.writeSnapshot(request, signal));
    expect(storedBytes).toBeGreaterThan(0);
    // A pack, a segment of the tree, and the snapshot that refers to both.
    expect(heard).toEqual(["me put ok", "me put ok", "me put ok"]);
    await asker.run("me", () =>
      volumes.measure({ directory: request.directory, indexFile }, signal),
    );
    expect(heard).toHaveLength(3);
  } finally {
    await volumes.stop();
    rmSync(root, { recursive: true, force: true });
  }
});
