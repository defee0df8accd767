/**
 * Keys of a store or a queue that may be replaced while a process runs: asked for with each request,
 * looked up again from time to time, and at once when they were refused. Where they come from is the
 * caller's business: files here, parameters of the cloud in functions/lambda-ports.ts.
 */
import { readFileSync } from "node:fs";
import * as z from "zod";
import { systemClock } from "./clock.ts";

export interface KeyPair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Files that a pair came from, and that its successor will be in. Null: that part stays. */
export const KeyFiles = z.strictObject({
  accessKeyId: z.string().nullable(),
  secretAccessKey: z.string().nullable(),
});
export type KeyFiles = z.infer<typeof KeyFiles>;

export interface LiveKeys {
  /** The newest pair that is known. */
  current(): Promise<KeyPair>;
  /** Looks again, because the pair was refused. */
  refresh(): Promise<void>;
}

export interface LiveKeysOptions {
  readonly first: KeyPair;
  readonly read: () => KeyPair | Promise<KeyPair>;
  /** How old a pair may be that is used. */
  readonly everyMs: number;
  /** Told of each pair before it is used, so that logs can be kept free of it. */
  readonly onKeys?: ((keys: KeyPair) => void) | undefined;
  readonly monotonicMs?: () => number;
}

/** A file costs so little that it is read almost every time. */
const FILES_EVERY_MS = 1_000;
/** Many requests may be refused at once. */
const REFRESH_EVERY_MS = 100;

export const createLiveKeys = (options: LiveKeysOptions): LiveKeys => {
  const { read, everyMs, onKeys, monotonicMs = () => systemClock.monotonicMs() } = options;
  let keys = options.first;
  let readAtMs = monotonicMs();
  let reading: Promise<void> | null = null;
  onKeys?.(keys);
  const lookAgain = async (): Promise<void> => {
    try {
      const found = await read();
      onKeys?.(found);
      keys = found;
    } catch {
      // A file that is being replaced, a service that does not answer: what is known may still do.
    } finally {
      readAtMs = monotonicMs();
      reading = null;
    }
  };
  const refresh = (minMs: number): Promise<void> => {
    if (reading !== null) return reading;
    if (monotonicMs() - readAtMs < minMs) return Promise.resolve();
    reading = lookAgain();
    return reading;
  };
  return {
    current: async () => {
      await refresh(everyMs);
      return keys;
    },
    refresh: () => refresh(REFRESH_EVERY_MS),
  };
};

/** Keys from files; undefined where no part of them is in one. */
export const openKeyFiles = (
  first: KeyPair,
  files: KeyFiles | undefined,
  onKeys?: (keys: KeyPair) => void,
): LiveKeys | undefined => {
  if (files === undefined) return undefined;
  const readPart = (part: keyof KeyPair): string => {
    const file = files[part];
    const text = file === null ? first[part] : readFileSync(file, "utf8").trim();
    if (text === "") throw new Error(`${file} is empty`);
    return text;
  };
  return createLiveKeys({
    first,
    read: () => ({
      accessKeyId: readPart("accessKeyId"),
      secretAccessKey: readPart("secretAccessKey"),
    }),
    everyMs: FILES_EVERY_MS,
    onKeys,
  });
};
