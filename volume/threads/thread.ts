/** A thread of the pool: performs one job after another and answers in that order. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { parentPort } from "node:worker_threads";
import { encodeFailure } from "./failures.ts";
import { type Job, performJob } from "./jobs.ts";

setFlagsFromString("--expose-gc");
const collectYoung = runInNewContext("() => gc({ type: 'minor' })") as () => void;

/**
 * Buffers of compressed and unpacked frames are garbage as soon as a job is done, but to the collector
 * each is one small object: left alone it lets some hundred megabytes of them wait.
 */
const JOBS_PER_COLLECTION = 4;
let jobs = 0;

parentPort?.on("message", (job: Job) => {
  try {
    parentPort?.postMessage({ result: performJob(job) });
  } catch (error) {
    parentPort?.postMessage({ failure: encodeFailure(error) });
  }
  jobs += 1;
  if (jobs % JOBS_PER_COLLECTION === 0) collectYoung();
});
