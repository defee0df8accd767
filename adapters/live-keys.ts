/**
 * Secrets that may be replaced while a process runs: asked for with each use, looked up again from
 * time to time, and at once when they were refused. Where they come from is the caller's business:
 * files here, parameters of the cloud in functions/lambda-ports.ts.
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

/** A pair, and where its successor will be. */
export interface FiledKeyPair extends KeyPair {
  readonly keyFiles: KeyFiles | undefined;
}

export interface Live<T> {
  /** The newest that is known. */
  current(): Promise<T>;
  /** Looks again, because it was refused. */
  refresh(): Promise<void>;
}

export type LiveKeys = Live<KeyPair>;

interface LiveOptions<T> {
  readonly first: T;
  readonly read: () => T | Promise<T>;
  /** How old a secret may be that is used. */
  readonly everyMs: number;
  /** Told of each before it is used, so that logs can be kept free of it. */
  readonly onNew?: ((secret: T) => void) | undefined;
  readonly monotonicMs?: () => number;
}

/** A file costs so little that it is read almost every time. */
const FILES_EVERY_MS = 1_000;
/** Many requests may be refused at once. */
const REFRESH_EVERY_MS = 100;

export const createLive = <T>(options: LiveOptions<T>): Live<T> => {
  const { read, everyMs, onNew, monotonicMs = () => systemClock.monotonicMs() } = options;
  let known = options.first;
  let readAtMs = monotonicMs();
  let reading: Promise<void> | null = null;
  onNew?.(known);
  const lookAgain = async (): Promise<void> => {
    try {
      const found = await read();
      onNew?.(found);
      known = found;
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
      return known;
    },
    refresh: () => refresh(REFRESH_EVERY_MS),
  };
};

/** What was given as it is, and so can't be replaced. */
export const unchanging = <T>(secret: T): Live<T> => ({
  current: async () => secret,
  refresh: async () => undefined,
});

const readSecret = (file: string): string => {
  const text = readFileSync(file, "utf8").trim();
  if (text === "") throw new Error(`${file} is empty`);
  return text;
};

/** A secret in a file, as `parse` reads its text. */
export const openSecretFile = <T>(
  first: T,
  file: string,
  parse: (text: string) => T,
  onNew?: (secret: T) => void,
): Live<T> =>
  createLive({ first, read: () => parse(readSecret(file)), everyMs: FILES_EVERY_MS, onNew });

/** Keys from files; undefined where no part of them is in one. */
export const openKeyFiles = (
  first: KeyPair,
  files: KeyFiles | undefined,
  onNew?: (keys: KeyPair) => void,
): LiveKeys | undefined => {
  if (files === undefined) return undefined;
  const readPart = (part: keyof KeyPair): string => {
    const file = files[part];
    return file === null ? first[part] : readSecret(file);
  };
  const read = () => ({
    accessKeyId: readPart("accessKeyId"),
    secretAccessKey: readPart("secretAccessKey"),
  });
  return createLive({ first, read, everyMs: FILES_EVERY_MS, onNew });
};
