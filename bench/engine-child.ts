/**
 * One engine operation in a process of its own, so that its memory can be told apart. Request and answer are
 * JSON files. The time is the operation's: bagage runs as a daemon.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { linuxFileSystem } from "../adapters/linux.ts";
import { giveMemoryBack } from "../adapters/linux-memory.ts";
import { openS3ObjectStore } from "../adapters/s3-object-store.ts";
import { hydrate } from "../volume/hydrate/hydrate.ts";
import { sharedThreads } from "../volume/threads/thread-pool.ts";
import { writeSnapshot } from "../volume/write-snapshot.ts";
import { EngineRequest } from "./engine-request.ts";

const WARM_BYTES = 64 * 1_024;
const THREADS = 4;

const request = EngineRequest.parse(JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")));
const { operation, prefix, snapshotId, parent, directory, indexFile } = request;
giveMemoryBack();
const store = openS3ObjectStore(request.s3);
const { signal } = new AbortController();
const common = { store, prefix, snapshotId, directory, indexFile, fileSystem: linuxFileSystem };
// The daemon's threads are there when a deploy comes.
const warm = {
  kind: "fill-files",
  prefix,
  keys: undefined,
  bytes: Buffer.of(),
  frames: [],
} as const;
const warmings = Array.from({ length: THREADS }, () =>
  sharedThreads.run<"fill-files">(warm, WARM_BYTES, { fileSystem: linuxFileSystem }),
);
await Promise.all(warmings);
const began = performance.now();
const result =
  operation === "snapshot"
    ? await writeSnapshot(
        // As at the end of a deploy: nobody writes meanwhile.
        {
          ...common,
          parentIndexFile: indexFile,
          epoch: 1,
          attempt: snapshotId,
          parent,
          isStill: true,
        },
        signal,
      )
    : await hydrate({ ...common, base: null }, signal);
const answer = { ...result, wallMs: performance.now() - began };
writeFileSync(request.answerFile, JSON.stringify(answer));
store.close();
