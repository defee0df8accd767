/** A thread of the pool: performs one job after another and answers in that order. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { parentPort } from "node:worker_threads";
import type { FileSystem } from "../file-system.ts";
import { encodeFailure } from "./failures.ts";
import { type Job, performJob } from "./jobs.ts";
import type { ThreadRequest } from "./thread-pool.ts";

setFlagsFromString("--expose-gc");
const collectYoung = runInNewContext("() => gc({ type: 'minor' })") as () => void;

/**
 * Buffers of compressed and unpacked frames are garbage as soon as a job is done, but to the collector
 * each is one small object: left alone it lets some hundred megabytes of them wait.
 */
const BYTES_PER_COLLECTION = 4 * 2 ** 20;
let bytes = 0;

const bytesOf = (job: Job): number => {
  if (job.kind === "encode-frame") return job.raw.length;
  if (job.kind === "fill-files")
    return job.frames.reduce((sum, { frame }) => sum + frame.rawBytes, 0);
  return 0;
};

const fileSystemOf = async (module: string | null): Promise<FileSystem | null> => {
  if (module === null) return null;
  const { fileSystem } = (await import(module)) as { readonly fileSystem: FileSystem };
  return fileSystem;
};

const perform = async ({ job, fileSystemModule }: ThreadRequest): Promise<void> => {
  try {
    const result = performJob(job, await fileSystemOf(fileSystemModule));
    parentPort?.postMessage({ result });
  } catch (error) {
    parentPort?.postMessage({ failure: encodeFailure(error) });
  }
  bytes += bytesOf(job);
  if (bytes < BYTES_PER_COLLECTION) return;
  bytes = 0;
  collectYoung();
};

let last = Promise.resolve();
parentPort?.on("message", (request: ThreadRequest) => {
  last = last.then(() => perform(request));
});
