/** The agent's side of the volume thread: calls become messages, and a dead thread is replaced. */
import { AsyncLocalStorage } from "node:async_hooks";
import { Worker } from "node:worker_threads";
import type { OnStoreCall } from "../adapters/meter-store.ts";
import type { StoreConfig } from "../adapters/open-store.ts";
import type { OnVolumeProgress, VolumeEngine } from "../functions/node-ports.ts";
import { RetryableError } from "../volume/errors.ts";
import type { HydrateResult } from "../volume/hydrate/hydrate.ts";
import type { Measure } from "../volume/measure.ts";
import type { SnapshotSummary } from "../volume/write-snapshot.ts";
import { decodeError, type WorkerAnswer, type WorkerRequest } from "./volume-worker-messages.ts";

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly onProgress: OnVolumeProgress | undefined;
  readonly onStoreCall: OnStoreCall;
}

export interface VolumeThread extends VolumeEngine {
  stop(): Promise<void>;
}

/** Beside this file in the source tree and in the bundles alike. */
const WORKER = new URL(
  import.meta.url.endsWith(".ts") ? "./volume-worker.ts" : "./volume-worker.mjs",
  import.meta.url,
);

/** What passes through is gone at once; a larger one only holds memory that nobody needs. */
const YOUNG_GENERATION_MB = 12;

/** `onStoreCall` hears of the thread's calls as if whoever asked for the work had made them. */
export const startVolumeThread = (
  store: StoreConfig,
  onStoreCall: OnStoreCall = () => undefined,
): VolumeThread => {
  const waiting = new Map<number, Waiting>();
  let nextId = 1;
  let worker: Worker | null = null;
  const fail = (cause: unknown): void => {
    worker = null;
    for (const { reject } of waiting.values()) {
      reject(new RetryableError("the volume thread died", { code: "volume-thread-died", cause }));
    }
    waiting.clear();
  };
  const start = (): Worker => {
    const started = new Worker(WORKER, {
      workerData: store,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    started.on("message", (message: WorkerAnswer) => {
      const call = waiting.get(message.id);
      if ("progress" in message) {
        call?.onProgress?.(message.progress);
        return;
      }
      if ("storeCalls" in message) {
        for (const done of message.storeCalls) call?.onStoreCall(done);
        return;
      }
      waiting.delete(message.id);
      if ("error" in message) call?.reject(decodeError(message.error));
      else call?.resolve(message.result);
    });
    started.on("error", fail);
    started.on("exit", fail);
    started.unref();
    return started;
  };
  const call = <T>(
    make: (id: number) => Exclude<WorkerRequest, { kind: "abort" }>,
    signal: AbortSignal,
    onProgress?: OnVolumeProgress,
  ): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      signal.throwIfAborted();
      const inCaller = AsyncLocalStorage.snapshot();
      const id = nextId;
      nextId += 1;
      worker ??= start();
      const abort = () =>
        worker?.postMessage({
          kind: "abort",
          id,
          reason: String(signal.reason),
        } satisfies WorkerRequest);
      signal.addEventListener("abort", abort, { once: true });
      const done = () => signal.removeEventListener("abort", abort);
      waiting.set(id, {
        resolve: (result) => {
          done();
          resolve(result as T);
        },
        reject: (error) => {
          done();
          reject(error);
        },
        onProgress,
        onStoreCall: (done) => inCaller(onStoreCall, done),
      });
      worker.postMessage(make(id));
    });
  return {
    writeSnapshot: ({ onProgress, ...options }, signal) =>
      call<SnapshotSummary>((id) => ({ kind: "snapshot", id, options }), signal, onProgress),
    hydrate: ({ onProgress, ...options }, signal) =>
      call<HydrateResult>((id) => ({ kind: "hydrate", id, options }), signal, onProgress),
    measure: (options, signal) => call<Measure>((id) => ({ kind: "measure", id, options }), signal),
    stop: async () => {
      const old = worker;
      worker = null;
      await old?.terminate();
    },
  };
};
