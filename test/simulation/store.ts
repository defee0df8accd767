/**
 * The object store and the network before it: one set of objects, and to each process a store of its
 * own that can lose a reply, apply a write late, answer 503, or hand out bytes that are not the right ones.
 */
import { AmbiguousError, RetryableError, TerminalError } from "../../volume/errors.ts";
import {
  createMemoryObjectStore,
  type MemoryObjectStore,
} from "../../volume/memory-object-store.ts";
import type { ByteRange, ObjectStore, PutOutcome } from "../../volume/object-store.ts";
import type { Process } from "./machine.ts";
import type { Mutation } from "./mutation.ts";
import type { World } from "./world.ts";

/** What can be wrong with an answer, for a time. `full`: no room for data; small objects still fit. */
export type StoreTrouble = "busy" | "timeout" | "reply-lost" | "late" | "wrong-bytes" | "full";

export interface SharedStore {
  readonly objects: MemoryObjectStore["objects"];
  /** As it is, at once: for the world's own eyes. */
  readonly raw: ObjectStore;
  /** From now on a share of the calls is in trouble. Returns what ends it. */
  trouble(kind: StoreTrouble, share: number): () => void;
  /** Told of each object that was put and of each that is deleted, when that happens. */
  onPut: (key: string, body: Buffer) => void | Promise<void>;
  onDelete: (keys: readonly string[]) => void | Promise<void>;
  openFor(process: Process): ObjectStore;
}

const LATE_MS_MAX = 60_000;
const TIMEOUT_MS = 5_000;
/** Objects whose bytes the engine checks; other bodies come over a connection that checks them. */
const CHECKED = /\/(?:p|t)-\d+$|\/snapshots\//;

export const createSharedStore = (world: World, mutation: Mutation): SharedStore => {
  const memory = createMemoryObjectStore(world.nowMs);
  const troubles = new Set<{ readonly kind: StoreTrouble; readonly share: number }>();
  const raw: ObjectStore = {
    ...memory,
    put: async (key, body, options, signal) => {
      const ifAbsent = options.ifAbsent === true && mutation !== "store-ignores-if-absent";
      const outcome = await memory.put(key, body, { ...options, ifAbsent }, signal);
      if (outcome === "stored") await shared.onPut(key, Buffer.from(body));
      return outcome;
    },
    delete: async (keys, signal) => {
      await shared.onDelete(keys);
      await memory.delete(keys, signal);
    },
  };
  const draw = (...kinds: StoreTrouble[]): StoreTrouble | null => {
    for (const { kind, share } of troubles) {
      if (kinds.includes(kind) && world.random.chance(share)) return kind;
    }
    return null;
  };
  const shared: SharedStore = {
    objects: memory.objects,
    raw,
    trouble: (kind, share) => {
      const one = { kind, share };
      troubles.add(one);
      return () => void troubles.delete(one);
    },
    onPut: () => undefined,
    onDelete: () => undefined,
    openFor: (process) => storeFor(world, raw, process, draw),
  };
  return shared;
};

type Draw = (...kinds: StoreTrouble[]) => StoreTrouble | null;

/** Its own life: what is on its way arrives, whoever waits for it. */
const never = new AbortController().signal;

const storeFor = (world: World, raw: ObjectStore, process: Process, draw: Draw): ObjectStore => {
  const unavailable = (what: string) =>
    new RetryableError(`${what}: no answer`, { code: "store-unavailable" });
  const unknown = (what: string, isCreate: boolean): Error =>
    isCreate
      ? new AmbiguousError(`${what}: outcome unknown`, { code: "store-ambiguous" })
      : unavailable(what);
  /** Nothing arrives where the machine can't be heard. */
  const refuseCut = async (error: () => Error): Promise<void> => {
    if (!process.machine.isCut) return;
    await wait(TIMEOUT_MS);
    throw error();
  };
  const wait = (ms: number): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    world.after(ms, resolve);
    return promise;
  };
  /** A write with everything that may happen to it. */
  const write = async <T>(what: string, isCreate: boolean, apply: () => Promise<T>): Promise<T> => {
    await refuseCut(() => unknown(what, isCreate));
    switch (draw("busy", "timeout", "reply-lost", "late", "full")) {
      case "full":
        if (!CHECKED.test(what)) return apply();
        throw new TerminalError(`${what}: quota exceeded`, { code: "store-full" });
      case "busy":
        throw unknown(what, isCreate);
      case "timeout":
        await wait(TIMEOUT_MS);
        throw unknown(what, isCreate);
      case "reply-lost":
        await apply();
        throw unknown(what, isCreate);
      case "late":
        world.after(world.random.between(TIMEOUT_MS, LATE_MS_MAX), () => {
          world.note(`${what} arrives late`);
          void apply();
        });
        await wait(TIMEOUT_MS);
        throw unknown(what, isCreate);
      default:
        return apply();
    }
  };
  const read = async <T>(what: string, answer: () => Promise<T>): Promise<T> => {
    await refuseCut(() => unavailable(what));
    const trouble = draw("busy", "timeout");
    if (trouble === "timeout") await wait(TIMEOUT_MS);
    if (trouble !== null) throw unavailable(what);
    return answer();
  };
  return {
    put: (key, body, options, signal) => {
      const bytes = Buffer.from(body);
      const isCreate = options.ifAbsent === true;
      const what = `${isCreate ? "create" : "put"} ${key}`;
      const apply = (): Promise<PutOutcome> => raw.put(key, bytes, options, never);
      return process.call(what, () => write(what, isCreate, apply), { signal });
    },
    get: (key, signal, range) => {
      const what = `get ${key}`;
      const answer = async (): Promise<Uint8Array | null> => {
        const body = await raw.get(key, never, range);
        const isWrong = body !== null && CHECKED.test(key) && draw("wrong-bytes") !== null;
        return isWrong ? spoil(world, await raw.get(key, never), range) : body;
      };
      return process.call(what, () => read(what, answer), { signal });
    },
    head: (key, signal) => {
      const what = `head ${key}`;
      return process.call(what, () => read(what, () => raw.head(key, never)), { signal });
    },
    list: async function* (prefix, signal) {
      const what = `list ${prefix}`;
      const answer = async () => {
        const found = [];
        for await (const info of raw.list(prefix, never)) found.push(info);
        return found;
      };
      yield* await process.call(what, () => read(what, answer), { signal });
    },
    listFolders: (prefix, signal) => {
      const what = `list folders of ${prefix}`;
      return process.call(what, () => read(what, () => raw.listFolders(prefix, never)), { signal });
    },
    delete: (keys, signal) => {
      const what = `delete ${keys[0]}${keys.length > 1 ? ` and ${keys.length - 1} more` : ""}`;
      return process.call(what, () => write(what, false, () => raw.delete(keys, never)), {
        signal,
      });
    },
  };
};

/** Another range of the object, or a body that is cut short, or one bit that is not what it was. */
const spoil = (world: World, whole: Uint8Array | null, range: ByteRange | undefined): Buffer => {
  const body = Buffer.from(whole ?? []);
  const { offset, length } = range ?? { offset: 0, length: body.length };
  const way = world.random.between(0, 2);
  // Of a whole object there is no other range.
  if (way === 0 && length < body.length) {
    const shifted = offset === 0 ? 1 : offset - 1;
    return body.subarray(shifted, shifted + length);
  }
  const part = Buffer.from(body.subarray(offset, offset + length));
  if (way === 1) return part.subarray(0, part.length - 1);
  const at = world.random.between(0, Math.max(0, part.length - 1));
  part[at] = (part[at] ?? 0) ^ (1 << world.random.between(0, 7));
  return part;
};
