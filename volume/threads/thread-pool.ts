/**
 * Threads for the work of jobs.ts, shared by all snapshots and hydrates of the process: started when
 * the first large job comes, kept, and no reason for the process to stay.
 */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { RetryableError } from "../errors.ts";
import type { FileSystem } from "../file-system.ts";
import { decodeFailure, type Failure } from "./failures.ts";
import { type Job, type JobResults, performJob } from "./jobs.ts";

export interface ThreadPool {
  /**
   * Performs the job in a thread, or here and now where `bytes` of work are less than the way there
   * costs.
   */
  run<K extends Job["kind"]>(
    job: Extract<Job, { kind: K }>,
    bytes: number,
    needs?: JobNeeds,
  ): Promise<JobResults[K]>;
}

export interface JobNeeds {
  /** Buffers that the caller gives up. */
  readonly transfer?: readonly ArrayBuffer[];
  /** For jobs that make files; a thread gets it by its module. */
  readonly fileSystem?: FileSystem;
}

export interface ThreadRequest {
  readonly job: Job;
  readonly fileSystemModule: string | null;
}

/** So much is hashed and compressed in a tenth of a millisecond, which a message there and back costs. */
const BYTES_MIN = 64 * 1_024;
const THREADS_MAX = 4;
/** Small, so that buffers a thread is done with are given back soon. */
const YOUNG_GENERATION_MB = 4;

type Answer = { readonly result: JobResults[Job["kind"]] } | { readonly failure: Failure };

interface Waiting {
  readonly resolve: (result: JobResults[Job["kind"]]) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly worker: Worker;
  /** Jobs sent and not answered, oldest first: a thread answers in order. */
  readonly waiting: Waiting[];
}

const startThread = (onDeath: (thread: Thread) => void): Thread => {
  const worker = new Worker(new URL("./thread.ts", import.meta.url), {
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
  });
  const thread: Thread = { worker, waiting: [] };
  const die = (cause: unknown): void => {
    onDeath(thread);
    for (const { reject } of thread.waiting.splice(0)) {
      reject(new RetryableError("a thread of the engine died", { code: "thread-died", cause }));
    }
  };
  worker.on("message", (answer: Answer) => {
    const next = thread.waiting.shift();
    if ("failure" in answer) next?.reject(decodeFailure(answer.failure));
    else next?.resolve(answer.result);
    if (thread.waiting.length === 0) worker.unref();
  });
  worker.on("error", die).on("exit", die);
  return thread;
};

export const openThreadPool = (threadsMax: number): ThreadPool => {
  const threads: Thread[] = [];
  const forget = (thread: Thread): void => {
    const at = threads.indexOf(thread);
    if (at >= 0) threads.splice(at, 1);
  };
  const choose = (): Thread => {
    const idlest = threads.toSorted((a, b) => a.waiting.length - b.waiting.length)[0];
    if (idlest?.waiting.length === 0) return idlest;
    if (idlest !== undefined && threads.length >= threadsMax) return idlest;
    const started = startThread(forget);
    threads.push(started);
    return started;
  };
  return {
    run: <K extends Job["kind"]>(
      job: Extract<Job, { kind: K }>,
      bytes: number,
      { transfer = [], fileSystem }: JobNeeds = {},
    ) =>
      new Promise<JobResults[K]>((resolve, reject) => {
        if (bytes < BYTES_MIN) {
          resolve(performJob<K>(job, fileSystem ?? null));
          return;
        }
        const { worker, waiting } = choose();
        waiting.push({ resolve: resolve as Waiting["resolve"], reject });
        worker.ref();
        const fileSystemModule = fileSystem?.module ?? null;
        worker.postMessage({ job, fileSystemModule } satisfies ThreadRequest, transfer);
      }),
  };
};

/** One thread a processor: the engine's own thread mostly waits. */
export const sharedThreads: ThreadPool = openThreadPool(
  Math.min(THREADS_MAX, availableParallelism()),
);
