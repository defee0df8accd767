/**
 * A store that remembers the snapshot objects it has read. Their keys are never used twice and their
 * bodies never change, and each deploy asks again for those that the project retains: to tell what the
 * new one rests on, and what is garbage.
 */
import type { ObjectStore } from "../volume/object-store.ts";

const SNAPSHOT = /^projects\/[^/]+\/volumes\/[^/]+\/snapshots\/[^/]+$/;
const BYTES_MAX = 16 * 2 ** 20;
const BODY_BYTES_MAX = 2 ** 20;

export const rememberSnapshots = (store: ObjectStore, bytesMax = BYTES_MAX): ObjectStore => {
  /** Those that were asked for longest ago come first. */
  const bodies = new Map<string, Uint8Array>();
  let bytes = 0;
  const forget = (key: string): void => {
    bytes -= bodies.get(key)?.length ?? 0;
    bodies.delete(key);
  };
  const remember = (key: string, body: Uint8Array): void => {
    forget(key);
    bodies.set(key, body);
    bytes += body.length;
    for (const oldest of bodies.keys()) {
      if (bytes <= bytesMax) return;
      forget(oldest);
    }
  };
  return {
    ...store,
    get: async (key, signal, range) => {
      if (range !== undefined || !SNAPSHOT.test(key)) return store.get(key, signal, range);
      signal.throwIfAborted();
      const body = bodies.get(key) ?? (await store.get(key, signal));
      if (body !== null && body.length <= BODY_BYTES_MAX) remember(key, body);
      return body;
    },
    delete: async (keys, signal) => {
      for (const key of keys) forget(key);
      await store.delete(keys, signal);
    },
  };
};
