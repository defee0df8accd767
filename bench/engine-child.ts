/**
 * One engine operation in a process of its own, so that its memory can be told apart. Request and answer are
 * JSON files. The time is the operation's: bagage runs as a daemon.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { linuxFileSystem } from "../adapters/linux.ts";
import { giveMemoryBack } from "../adapters/linux-memory.ts";
import { openS3ObjectStore } from "../adapters/s3-object-store.ts";
import { hydrate } from "../volume/hydrate/hydrate.ts";
import { createCloneMaps } from "../volume/scan/clone-maps.ts";
import { sharedThreads } from "../volume/threads/thread-pool.ts";
import { writeSnapshot } from "../volume/write-snapshot.ts";
import { EngineRequest } from "./engine-request.ts";
import { syncDisk } from "./engine-tools.ts";
import { updateRows } from "./make-volume.ts";

const WARM_BYTES = 64 * 1_024;
const THREADS = 4;
/** So that the round finds the database changed, and has its clone to compare with. */
const ROWS_BEFORE_ROUND = 20;

const request = EngineRequest.parse(JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")));
const { operation, prefix, snapshotId, directory, indexFile } = request;
giveMemoryBack();
const store = openS3ObjectStore(request.s3);
const { signal } = new AbortController();
const common = { store, prefix, directory, indexFile, fileSystem: linuxFileSystem };
const cloneMaps = createCloneMaps();
const snapshot = (id: string, parent: string | null, isStill: boolean) =>
  writeSnapshot(
    {
      ...{ ...common, snapshotId: id, attempt: id, parent, isStill },
      ...{ parentIndexFile: indexFile, epoch: 1, cloneMaps },
    },
    signal,
  );
/** The snapshot before the one that is timed, as a deploy takes it while its container runs. */
const takeLastRound = async (): Promise<string | null> => {
  if (request.lastRound === null) return request.parent;
  const { database, rows, changes, seed } = request.lastRound;
  updateRows(database, rows, ROWS_BEFORE_ROUND, seed);
  const id = `${snapshotId}-round`;
  await snapshot(id, request.parent, false);
  updateRows(database, rows, changes, seed + 1);
  syncDisk(directory);
  return id;
};
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
const parent = await takeLastRound();
const began = performance.now();
const result =
  operation === "snapshot"
    ? // As at the end of a deploy: nobody writes meanwhile.
      await snapshot(snapshotId, parent, true)
    : await hydrate({ ...common, snapshotId, base: null }, signal);
const answer = { ...result, wallMs: performance.now() - began };
writeFileSync(request.answerFile, JSON.stringify(answer));
store.close();
