/** The contestants: the engine in a child process, restic, rsync over loopback, and the bare store. */
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openS3ObjectStore, type S3StoreOptions } from "../adapters/s3-object-store.ts";
import type { ObjectInfo } from "../volume/object-store.ts";
import type { EngineBench } from "./engine-bench.ts";
import { EngineAnswer, type EngineRequest } from "./engine-request.ts";
import { openRandom } from "./make-volume.ts";
import { measure } from "./measure.ts";

const CHILD = fileURLToPath(new URL("engine-child.ts", import.meta.url));

/** The same bound as the agent's volume thread has. */
const AS_IN_THE_AGENT = ["--max-semi-space-size=4"];

export type EngineRun = Pick<EngineRequest, "operation" | "prefix" | "snapshotId" | "parent"> & {
  readonly lastRound?: EngineRequest["lastRound"];
  /** Holds `data` and `index`. */
  readonly copy: string;
};

export const runEngine = async (
  { s3, scratch }: EngineBench,
  { copy, ...run }: EngineRun,
  signal: AbortSignal,
): Promise<EngineAnswer & { readonly peakBytes: number }> => {
  mkdirSync(copy, { recursive: true });
  const answerFile = join(scratch, "answer.json");
  const request: EngineRequest = {
    lastRound: null,
    ...run,
    s3: { ...s3, endpoints: [...s3.endpoints] },
    directory: join(copy, "data"),
    indexFile: join(copy, "index"),
    answerFile,
  };
  const requestFile = join(scratch, "request.json");
  writeFileSync(requestFile, JSON.stringify(request), { mode: 0o600 });
  const argv = [...AS_IN_THE_AGENT, CHILD, requestFile];
  const { peakBytes } = await measure(process.execPath, argv, {}, signal);
  return { ...EngineAnswer.parse(JSON.parse(readFileSync(answerFile, "utf8"))), peakBytes };
};

export interface Restic {
  init(signal: AbortSignal): Promise<void>;
  /** Milliseconds. */
  backup(directory: string, signal: AbortSignal): Promise<number>;
  restore(target: string, signal: AbortSignal): Promise<number>;
  /** The most memory that any of its runs took. */
  peakBytes(): number;
}

export const openRestic =
  (s3: S3StoreOptions, scratch: string) =>
  (repository: string): Restic => {
    const env = {
      RESTIC_REPOSITORY: `s3:${s3.endpoints[0]}/${s3.bucket}/${repository}`,
      RESTIC_PASSWORD: "bench",
      RESTIC_CACHE_DIR: join(scratch, "restic-cache"),
      AWS_ACCESS_KEY_ID: s3.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    };
    let peak = 0;
    const run = async (argv: string[], cwd: string, signal: AbortSignal): Promise<number> => {
      const { wallMs, peakBytes } = await measure("restic", argv, { env, cwd }, signal);
      peak = Math.max(peak, peakBytes);
      return wallMs;
    };
    return {
      init: async (signal) => {
        await run(["init"], scratch, signal);
      },
      backup: (directory, signal) => run(["backup", "--quiet", "."], directory, signal),
      restore: (target, signal) => run(["restore", "latest", "--target", target], scratch, signal),
      peakBytes: () => peak,
    };
  };

const RAW_BYTES = 16 * 2 ** 20;
const RAW_AT_ONCE = 8;

/** Milliseconds to store so many bytes in objects of 16 MiB, eight at a time: the store's ceiling. */
export const rawPuts = async (
  { s3 }: EngineBench,
  prefix: string,
  bytes: number,
  signal: AbortSignal,
): Promise<number> => {
  const store = openS3ObjectStore(s3);
  const body = openRandom(7).fill(Buffer.alloc(RAW_BYTES));
  const sizes = Array.from({ length: Math.ceil(bytes / RAW_BYTES) }, (_, i) => ({
    key: `${prefix}/${i}`,
    bytes: Math.min(RAW_BYTES, bytes - i * RAW_BYTES),
  }));
  const began = performance.now();
  await inParallel(sizes, (size) =>
    store.put(size.key, body.subarray(0, size.bytes), { ifAbsent: false }, signal),
  );
  const wallMs = performance.now() - began;
  await store.delete(
    sizes.map(({ key }) => key),
    signal,
  );
  store.close();
  return wallMs;
};

/** Milliseconds to read so many bytes below the prefix, in ranges of 8 MiB, eight at a time. */
export const rawGets = async (
  { s3 }: EngineBench,
  prefix: string,
  bytesMax: number,
  signal: AbortSignal,
): Promise<number> => {
  const store = openS3ObjectStore(s3);
  const rangeBytes = RAW_BYTES / 2;
  const ranges: { key: string; offset: number; length: number }[] = [];
  let left = bytesMax;
  for await (const { key, bytes } of store.list(`${prefix}/`, signal)) {
    for (let offset = 0; offset < bytes && left > 0; offset += rangeBytes) {
      const length = Math.min(rangeBytes, bytes - offset, left);
      ranges.push({ key, offset, length });
      left -= length;
    }
  }
  const began = performance.now();
  await inParallel(ranges, ({ key, offset, length }) => store.get(key, signal, { offset, length }));
  store.close();
  return performance.now() - began;
};

/** Milliseconds until all that was written to the directory's file system is on its disk. */
export const syncDisk = (directory: string): number => {
  const began = performance.now();
  execFileSync("sync", ["-f", directory]);
  return performance.now() - began;
};

/** Milliseconds to copy a tree beside itself, bytes not shared: what the file system alone takes. */
export const copyTree = async (
  source: string,
  copy: string,
  signal: AbortSignal,
): Promise<number> =>
  (await measure("cp", ["-a", "--reflink=never", source, copy], {}, signal)).wallMs;

const RCLONE_TRANSFERS = 16;

/** Milliseconds for rclone to copy a directory to a prefix of the bucket, or the other way. */
export const rcloneCopy = async (
  { s3 }: EngineBench,
  directory: string,
  place: { readonly to: string } | { readonly from: string },
  signal: AbortSignal,
): Promise<number> => {
  const env = {
    RCLONE_CONFIG_LAB_TYPE: "s3",
    RCLONE_CONFIG_LAB_PROVIDER: "Ceph",
    RCLONE_CONFIG_LAB_ENDPOINT: s3.endpoints[0] ?? "",
    RCLONE_CONFIG_LAB_ACCESS_KEY_ID: s3.accessKeyId,
    RCLONE_CONFIG_LAB_SECRET_ACCESS_KEY: s3.secretAccessKey,
    // The gateway speaks plain HTTP, and rclone's transport takes no bundle of authorities.
    AWS_CA_BUNDLE: "",
  };
  const remote = `lab:${s3.bucket}/${"to" in place ? place.to : place.from}`;
  const paths = "to" in place ? [directory, remote] : [remote, directory];
  const argv = ["copy", ...paths, "--transfers", String(RCLONE_TRANSFERS), "--s3-no-check-bucket"];
  return (await measure("rclone", argv, { env }, signal)).wallMs;
};

const inParallel = async <T>(items: T[], work: (item: T) => Promise<unknown>): Promise<void> => {
  const rest = [...items];
  const worker = async (): Promise<void> => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: RAW_AT_ONCE }, worker));
};

export const listedBytes = async (
  { s3 }: EngineBench,
  prefix: string,
  signal: AbortSignal,
): Promise<number> => {
  const store = openS3ObjectStore(s3);
  let sum = 0;
  const listed: AsyncIterable<ObjectInfo> = store.list(`${prefix}/`, signal);
  for await (const { bytes } of listed) sum += bytes;
  store.close();
  return sum;
};

const DELETE_KEYS_MAX = 1_000;

/** Removes all that a volume's rows stored, restic's repository too: a lab's disk is small. */
export const removeObjects = async (
  { s3 }: Pick<EngineBench, "s3">,
  prefix: string,
  signal: AbortSignal,
): Promise<void> => {
  const store = openS3ObjectStore(s3);
  const keys: string[] = [];
  for await (const { key } of store.list(prefix, signal)) keys.push(key);
  for (let at = 0; at < keys.length; at += DELETE_KEYS_MAX) {
    await store.delete(keys.slice(at, at + DELETE_KEYS_MAX), signal);
  }
  store.close();
};

/** Milliseconds for rsync to bring a copy up to date from a daemon on this machine. */
export const rsyncOverLoopback = async (
  source: string,
  copy: string,
  signal: AbortSignal,
): Promise<number> => {
  const port = await freePort();
  const config = `${copy}.rsyncd`;
  writeFileSync(config, `[v]\npath = ${source}\nuse chroot = no\nuid = 0\ngid = 0\n`);
  const argv = ["--daemon", "--no-detach", `--port=${port}`, `--config=${config}`];
  const daemon = spawn("rsync", [...argv, "--address=127.0.0.1"], { stdio: "ignore", signal });
  try {
    const from = `rsync://127.0.0.1:${port}/v/`;
    await untilListening(from, signal);
    const { wallMs } = await measure("rsync", ["-aHAXS", "--delete", from, `${copy}/`], {}, signal);
    return wallMs;
  } finally {
    daemon.kill();
    rmSync(config, { force: true });
  }
};

const LISTEN_TRIES = 100;

const untilListening = async (address: string, signal: AbortSignal): Promise<void> => {
  for (let tries = 1; ; tries += 1) {
    try {
      await measure("rsync", ["--list-only", "--contimeout=5", address], {}, signal);
      return;
    } catch (error) {
      if (tries >= LISTEN_TRIES) throw error;
    }
  }
};

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
