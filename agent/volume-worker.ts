/**
 * The volume engine in a thread of its own: it reads and hashes without pause, and the agent's
 * thread, which forwards the clients' traffic, must not wait for it.
 */
import { parentPort, workerData } from "node:worker_threads";
import { linuxFileSystem } from "../adapters/linux.ts";
import { giveMemoryBack } from "../adapters/linux-memory.ts";
import { meterStore } from "../adapters/meter-store.ts";
import { openStore, StoreConfig } from "../adapters/open-store.ts";
import { type HydrateProgress, hydrate } from "../volume/hydrate/hydrate.ts";
import { measureDirectory } from "../volume/measure.ts";
import type { ObjectStore } from "../volume/object-store.ts";
import { createCloneMaps } from "../volume/scan/clone-maps.ts";
import { type Progress, writeSnapshot } from "../volume/write-snapshot.ts";
import {
  encodeError,
  gatherStoreCalls,
  throttleProgress,
  type WorkerAnswer,
  type WorkerRequest,
} from "./volume-worker-messages.ts";

giveMemoryBack();
const opened = await openStore(StoreConfig.parse(workerData));
const cloneMaps = createCloneMaps();
const running = new Map<number, AbortController>();

type Work = Exclude<WorkerRequest, { kind: "abort" }>;

const perform = (request: Work, store: ObjectStore, signal: AbortSignal) => {
  const tell = throttleProgress(
    (progress) => answer({ id: request.id, progress }),
    () => performance.now(),
  );
  switch (request.kind) {
    case "snapshot": {
      const onProgress = ({ bytes, storedBytes }: Progress) =>
        tell({ doneBytes: bytes, totalBytes: null, transferredBytes: storedBytes });
      const options = { ...request.options, store, fileSystem: linuxFileSystem, onProgress };
      return writeSnapshot({ ...options, cloneMaps }, signal);
    }
    case "hydrate": {
      const onProgress = ({ bytes, bytesTotal, fetchedBytes }: HydrateProgress) =>
        tell({ doneBytes: bytes, totalBytes: bytesTotal, transferredBytes: fetchedBytes });
      const options = { ...request.options, store, fileSystem: linuxFileSystem, onProgress };
      return hydrate(options, signal);
    }
    case "measure":
      return measureDirectory({ ...request.options, fileSystem: linuxFileSystem }, signal);
  }
};
const answer = (message: WorkerAnswer): void => parentPort?.postMessage(message);

parentPort?.on("message", (request: WorkerRequest) => {
  if (request.kind === "abort") {
    running.get(request.id)?.abort(new Error(request.reason));
    return;
  }
  const control = new AbortController();
  running.set(request.id, control);
  const calls = gatherStoreCalls((storeCalls) => answer({ id: request.id, storeCalls }));
  perform(request, meterStore(opened, calls.note), control.signal)
    .finally(calls.flush)
    .then(
      (result) => answer({ id: request.id, result }),
      (error: unknown) => answer({ id: request.id, error: encodeError(error) }),
    )
    .finally(() => running.delete(request.id));
});
