/**
 * Node's own waiting, taken out of its hands while a world runs: file system and compression calls
 * complete at once, timers belong to the world's clock. What is left are microtasks, whose order is
 * fixed, so a run depends on its seed alone. Load it before the code under test: some of that keeps
 * the functions it once imported.
 */
import fs from "node:fs";
import fsPromises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import timers from "node:timers";
import timersPromises from "node:timers/promises";
import zlib from "node:zlib";

/** The clock that timers belong to. */
export interface TimerHost {
  /** Returns what cancels it. */
  after(ms: number, run: () => void): () => void;
}

type Call = (...args: never[]) => unknown;

let host: TimerHost | null = null;

/** From now on, until null is given. */
export const useTimersOf = (world: TimerHost | null): void => {
  host = world;
};

const sleep = (ms: number, signal: AbortSignal | undefined, on: TimerHost): Promise<void> => {
  if (signal?.aborted) return Promise.reject(signal.reason);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const cancel = on.after(ms, resolve);
  const abort = () => {
    cancel();
    reject(signal?.reason);
  };
  signal?.addEventListener("abort", abort, { once: true });
  return promise.finally(() => signal?.removeEventListener("abort", abort));
};

/** The part of a file handle that the code under test uses. Nothing is synced: no power fails here. */
const openSync = (path: string, flags?: string | number, mode?: number) => {
  const fd = fs.openSync(path, flags ?? "r", mode);
  return {
    fd,
    sync: async () => undefined,
    datasync: async () => undefined,
    close: async () => fs.closeSync(fd),
    chmod: async (to: number) => fs.fchmodSync(fd, to),
    writeFile: async (body: string | Uint8Array) => fs.writeFileSync(fd, body),
    stat: async () => fs.fstatSync(fd),
    truncate: async (length = 0) => fs.ftruncateSync(fd, length),
  };
};

const SYNCHRONOUS: Readonly<Record<string, Call>> = {
  open: openSync as Call,
  mkdir: fs.mkdirSync,
  readdir: fs.readdirSync as Call,
  readFile: fs.readFileSync as Call,
  realpath: fs.realpathSync as unknown as Call,
  rename: fs.renameSync,
  rm: fs.rmSync,
  stat: fs.statSync as unknown as Call,
  lstat: fs.lstatSync as unknown as Call,
  statfs: fs.statfsSync as unknown as Call,
  writeFile: fs.writeFileSync,
};

type Table = Record<string, unknown>;

const replace = (table: Table, name: string, make: (real: Call) => Call): void => {
  table[name] = make(table[name] as Call);
};

type Callback = (error: unknown, result?: unknown) => void;

const zstdNow =
  (run: (bytes: Buffer, options: object) => Buffer) =>
  (real: Call): Call => {
    const now = (bytes: Buffer, options: object | Callback, callback?: Callback): unknown => {
      const done = callback ?? (options as Callback);
      const settings = callback === undefined ? {} : (options as object);
      if (host === null) return real(...([bytes, settings, done] as never[]));
      try {
        done(null, run(bytes, settings));
      } catch (error) {
        done(error);
      }
      return undefined;
    };
    return now as Call;
  };

/** Open while a world runs: a process that is killed in it closes nothing. */
const open = new Set<number>();
/**
 * Files that are touched to learn the file system's own time. It is real, so what it tells differs
 * from run to run: in a world it stands still at the beginning, and no file is trusted by its age.
 */
const clocks = new Set<number>();

export const closeLeftOpen = (): void => {
  for (const fd of [...open]) fs.closeSync(fd);
};

const trackDescriptors = (): void => {
  const table = fs as unknown as Table;
  replace(
    table,
    "openSync",
    (real) =>
      ((...args: never[]) => {
        const fd = real(...args) as number;
        if (host !== null) {
          open.add(fd);
          if (String(args.at(0)).endsWith(".t0")) clocks.add(fd);
        }
        return fd;
      }) as Call,
  );
  replace(
    table,
    "closeSync",
    (real) =>
      ((fd: number) => {
        open.delete(fd);
        clocks.delete(fd);
        return real(...([fd] as never[]));
      }) as Call,
  );
  replace(
    table,
    "fstatSync",
    (real) =>
      ((...args: never[]) => {
        const stat = real(...args) as object;
        return clocks.has(args.at(0) ?? -1) ? Object.assign(stat, { ctimeNs: 0n }) : stat;
      }) as Call,
  );
};

/** Nothing is synced in a world: what is in the file is there. */
const syncNow = (real: Call): Call =>
  ((fd: number, done: (error: Error | null) => void) => {
    if (host === null) return real(...([fd, done] as never[]));
    done(null);
    return undefined;
  }) as Call;

const install = (): void => {
  trackDescriptors();
  replace(fs as unknown as Table, "fsync", syncNow);
  const promises = fsPromises as unknown as Table;
  for (const name of Object.keys(SYNCHRONOUS)) {
    const now = SYNCHRONOUS[name] as Call;
    replace(
      promises,
      name,
      (real) =>
        ((...args: never[]) =>
          host === null ? real(...args) : (async () => now(...args))()) as Call,
    );
  }
  replace(zlib as unknown as Table, "zstdCompress", zstdNow(zlib.zstdCompressSync));
  replace(zlib as unknown as Table, "zstdDecompress", zstdNow(zlib.zstdDecompressSync));
  const waiting = timersPromises as unknown as Table;
  replace(
    waiting,
    "setTimeout",
    (real) =>
      ((ms: number, value: unknown, options?: { signal?: AbortSignal }) =>
        host === null
          ? real(...([ms, value, options] as never[]))
          : sleep(ms, options?.signal, host).then(() => value)) as Call,
  );
  replace(
    waiting,
    "setImmediate",
    (real) => ((...args: never[]) => (host === null ? real(...args) : Promise.resolve())) as Call,
  );
  for (const table of [timers, globalThis] as unknown as Table[]) installTimers(table);
  const timeout = AbortSignal.timeout.bind(AbortSignal);
  AbortSignal.timeout = (ms) => {
    if (host === null) return timeout(ms);
    const control = new AbortController();
    host.after(ms, () => control.abort(new DOMException("too late", "TimeoutError")));
    return control.signal;
  };
  syncBuiltinESMExports();
};

const installTimers = (table: Table): void => {
  replace(
    table,
    "setTimeout",
    (real) =>
      ((run: () => void, ms: number, ...rest: never[]) => {
        if (host === null) return real(...([run, ms, ...rest] as never[]));
        const cancel = host.after(ms, run);
        const handle = { cancel, ref: () => handle, unref: () => handle, hasRef: () => true };
        return handle;
      }) as Call,
  );
  replace(
    table,
    "clearTimeout",
    (real) =>
      ((handle: { cancel?: () => void } | undefined) => {
        if (typeof handle?.cancel === "function") handle.cancel();
        else real(...([handle] as never[]));
      }) as Call,
  );
};

install();
