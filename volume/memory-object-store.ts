/**
 * An object store in memory, for unit tests and the simulator. It obeys the same contract suite as
 * the real ones (test/contract), so that what passes on it is not passing by accident.
 */
import { contentMd5 } from "./digest.ts";
import { TerminalError } from "./errors.ts";
import type { ObjectStore } from "./object-store.ts";

export interface MemoryObjectStore extends ObjectStore {
  /** What is stored, by key. Tests look into it and damage it; the engine does not know of it. */
  readonly objects: Map<string, Buffer>;
}

/** `nowMs`: the store's clock; without it the store does not tell the age of what it has. */
export const createMemoryObjectStore = (nowMs?: () => number): MemoryObjectStore => {
  const objects = new Map<string, Buffer>();
  const storedAtMs = new Map<string, number>();
  const ageOf = (key: string) => {
    const atMs = storedAtMs.get(key);
    return nowMs === undefined || atMs === undefined ? {} : { ageMs: nowMs() - atMs };
  };
  return {
    objects,
    put: async (key, body, { ifAbsent = false }, signal) => {
      signal.throwIfAborted();
      if (ifAbsent && objects.has(key)) return "exists";
      objects.set(key, Buffer.from(body));
      if (nowMs !== undefined) storedAtMs.set(key, nowMs());
      return "stored";
    },
    putWithDigest: async (key, body, claimedMd5, signal) => {
      signal.throwIfAborted();
      if (contentMd5(body) !== claimedMd5) {
        throw new TerminalError(`${key}: the body is not the one announced`, {
          code: "store-bad-digest",
        });
      }
      objects.set(key, Buffer.from(body));
    },
    get: async (key, signal, range) => {
      signal.throwIfAborted();
      const body = objects.get(key);
      if (body === undefined) return null;
      if (range === undefined) return Buffer.from(body);
      return Buffer.from(body.subarray(range.offset, range.offset + range.length));
    },
    head: async (key, signal) => {
      signal.throwIfAborted();
      const body = objects.get(key);
      return body === undefined ? null : { key, bytes: body.length };
    },
    list: async function* (prefix, signal) {
      const keys = [...objects.keys()].filter((key) => key.startsWith(prefix));
      const ordered = keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      for (const key of ordered) {
        signal.throwIfAborted();
        const body = objects.get(key);
        if (body !== undefined) yield { key, bytes: body.length, ...ageOf(key) };
      }
    },
    listFolders: async (prefix, signal) => {
      signal.throwIfAborted();
      const below = [...objects.keys()].filter((key) => key.startsWith(prefix));
      const paths = below.map((key) => key.slice(prefix.length).split("/"));
      const names = paths.flatMap(([name, ...rest]) =>
        name !== undefined && rest.length > 0 ? [name] : [],
      );
      return [...new Set(names)].sort();
    },
    delete: async (keys, signal) => {
      signal.throwIfAborted();
      for (const key of keys) objects.delete(key);
    },
  };
};
