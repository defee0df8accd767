/** A thread of the pool: performs one job after another and answers in that order. */
import { parentPort } from "node:worker_threads";
import { encodeFailure } from "./failures.ts";
import { type Job, performJob } from "./jobs.ts";

parentPort?.on("message", (job: Job) => {
  try {
    parentPort?.postMessage({ result: performJob(job) });
  } catch (error) {
    parentPort?.postMessage({ failure: encodeFailure(error) });
  }
});
