/**
 * The volume engine in a thread of its own: it reads and hashes without pause, and the agent's
 * thread, which forwards the clients' traffic, must not wait for it.
 */
import { parentPort, workerData } from "node:worker_threads";
import { linuxFileSystem } from "../adapters/linux.ts";
import { openStore, StoreConfig } from "../adapters/open-store.ts";
import { hydrate } from "../volume/hydrate/hydrate.ts";
import { writeSnapshot } from "../volume/write-snapshot.ts";
import { encodeError, type WorkerAnswer, type WorkerRequest } from "./volume-worker-messages.ts";

const store = await openStore(StoreConfig.parse(workerData));
const running = new Map<number, AbortController>();

const perform = (request: Exclude<WorkerRequest, { kind: "abort" }>, signal: AbortSignal) =>
  request.kind === "snapshot"
    ? writeSnapshot({ ...request.options, store, fileSystem: linuxFileSystem }, signal)
    : hydrate({ ...request.options, store, fileSystem: linuxFileSystem }, signal);

const answer = (message: WorkerAnswer): void => parentPort?.postMessage(message);

parentPort?.on("message", (request: WorkerRequest) => {
  if (request.kind === "abort") {
    running.get(request.id)?.abort(new Error(request.reason));
    return;
  }
  const control = new AbortController();
  running.set(request.id, control);
  perform(request, control.signal)
    .then(
      (result) => answer({ id: request.id, result }),
      (error: unknown) => answer({ id: request.id, error: encodeError(error) }),
    )
    .finally(() => running.delete(request.id));
});
