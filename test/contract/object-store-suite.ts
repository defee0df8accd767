/**
 * What every object store must do, whatever is behind it. Each store's test file calls this once;
 * a fake that does not pass may not stand in for the real one.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { AmbiguousError } from "../../volume/errors.ts";
import type { ObjectInfo, ObjectStore, PutOutcome } from "../../volume/object-store.ts";
import { probeStore } from "../../volume/probe-store.ts";

export interface SuiteSubject {
  readonly name: string;
  /** Handles on the same store: two gateways, two processes' views, or one handle twice. */
  open(): Promise<readonly ObjectStore[]>;
}

const RACERS = 16;
const ROUNDS = 10;
const PACK_BYTES = 16 * 2 ** 20;

export const describeObjectStore = ({ name, open }: SuiteSubject): void => {
  const { signal } = new AbortController();
  const setUp = async () => {
    const stores = await open();
    const [store] = stores;
    if (store === undefined) throw new Error("the subject opened no store");
    return { store, stores, prefix: `contract/${randomUUID()}` };
  };
  const listAll = async (store: ObjectStore, prefix: string): Promise<ObjectInfo[]> => {
    const listed: ObjectInfo[] = [];
    for await (const info of store.list(prefix, signal)) listed.push(info);
    return listed;
  };

  describe(`${name} as an object store`, () => {
    test("gives back what was put, and its size", async () => {
      const { store, prefix } = await setUp();
      for (const length of [0, 1, 4_096, 100_003]) {
        const key = `${prefix}/${length}`;
        const body = randomBytes(length);
        expect(await store.put(key, body, {}, signal)).toBe("stored");
        expect(Buffer.from((await store.get(key, signal)) ?? "absent").equals(body)).toBe(true);
        expect(await store.head(key, signal)).toEqual({ key, bytes: length });
      }
    });

    test("has nothing where nothing was put", async () => {
      const { store, prefix } = await setUp();
      await store.put(`${prefix}/a/b`, Buffer.from("x"), {}, signal);
      for (const key of [`${prefix}/none`, `${prefix}/a`, `${prefix}/a/b/c`]) {
        expect(await store.get(key, signal)).toBeNull();
        expect(await store.get(key, signal, { offset: 0, length: 1 })).toBeNull();
        expect(await store.head(key, signal)).toBeNull();
      }
    });

    test("a put replaces the whole body", async () => {
      const { store, prefix } = await setUp();
      await store.put(`${prefix}/k`, Buffer.from("a longer body"), {}, signal);
      await store.put(`${prefix}/k`, Buffer.from("short"), {}, signal);
      expect(Buffer.from((await store.get(`${prefix}/k`, signal)) ?? "").toString()).toBe("short");
    });

    test("gives exactly the range asked for", async () => {
      const { store, prefix } = await setUp();
      const body = randomBytes(100_000);
      await store.put(`${prefix}/k`, body, {}, signal);
      for (const [offset, length] of [
        [0, 1],
        [0, 100_000],
        [1, 99_999],
        [99_999, 1],
        [65_536, 4_096],
      ] as const) {
        const found = await store.get(`${prefix}/k`, signal, { offset, length });
        expect(Buffer.from(found ?? "").equals(body.subarray(offset, offset + length))).toBe(true);
      }
    });

    test("a key and keys below it may stand side by side", async () => {
      const { store, prefix } = await setUp();
      await store.put(`${prefix}/a`, Buffer.from("1"), {}, signal);
      await store.put(`${prefix}/a/b`, Buffer.from("2"), {}, signal);
      expect(Buffer.from((await store.get(`${prefix}/a`, signal)) ?? "").toString()).toBe("1");
      expect(Buffer.from((await store.get(`${prefix}/a/b`, signal)) ?? "").toString()).toBe("2");
    });

    test("lists by prefix in key order, over pages", async () => {
      const { store, prefix } = await setUp();
      const names = Array.from({ length: 1_100 }, (_, i) => `${prefix}/n-${i}`);
      for (let i = 0; i < names.length; i += 50) {
        const batch = names.slice(i, i + 50);
        await Promise.all(batch.map((key) => store.put(key, Buffer.from("x"), {}, signal)));
      }
      await store.put(`${prefix}-other`, Buffer.from("x"), {}, signal);
      const listed = await listAll(store, `${prefix}/`);
      expect(listed.map(({ key }) => key)).toEqual(names.sort());
      expect(listed.every(({ bytes }) => bytes === 1)).toBe(true);
      expect((await listAll(store, `${prefix}/n-109`)).map(({ key }) => key)).toEqual(
        names.filter((key) => key.startsWith(`${prefix}/n-109`)),
      );
      await store.delete(names, signal);
      expect(await listAll(store, `${prefix}/`)).toEqual([]);
    });

    test("a listing tells how long an object has been there", async () => {
      const { store, prefix } = await setUp();
      const key = `${prefix}/young`;
      await store.put(key, Buffer.from("x"), {}, signal);
      const [listed] = await listAll(store, key);
      expect(listed?.ageMs).toBeGreaterThanOrEqual(0);
      expect(listed?.ageMs).toBeLessThan(60_000);
    });

    test("lists the folders right below a prefix, however much is in them", async () => {
      const { store, prefix } = await setUp();
      for (const key of ["b/1", "b/2/3", "B-b/1", "a", "a/1", "c"]) {
        await store.put(`${prefix}/${key}`, Buffer.from("x"), {}, signal);
      }
      expect(await store.listFolders(`${prefix}/`, signal)).toEqual(["B-b", "a", "b"]);
      expect(await store.listFolders(`${prefix}/none/`, signal)).toEqual([]);
    });

    test("deletes what is there and takes no offence at what is not", async () => {
      const { store, prefix } = await setUp();
      await store.put(`${prefix}/a`, Buffer.from("1"), {}, signal);
      await store.put(`${prefix}/b`, Buffer.from("2"), {}, signal);
      await store.delete([`${prefix}/a`, `${prefix}/never`], signal);
      await store.delete([], signal);
      expect(await store.get(`${prefix}/a`, signal)).toBeNull();
      expect(await store.head(`${prefix}/b`, signal)).toEqual({ key: `${prefix}/b`, bytes: 1 });
    });

    test("a create finds what stands and leaves it", async () => {
      const { store, prefix } = await setUp();
      const create = (body: string): Promise<PutOutcome> =>
        store.put(`${prefix}/k`, Buffer.from(body), { ifAbsent: true }, signal);
      expect(await create("first")).toBe("stored");
      expect(await create("second")).toBe("exists");
      expect(await create("first")).toBe("exists");
      expect(Buffer.from((await store.get(`${prefix}/k`, signal)) ?? "").toString()).toBe("first");
    });

    test("2: sixteen writers race through every handle: exactly one wins", async () => {
      const { stores, prefix } = await setUp();
      for (let round = 0; round < ROUNDS; round += 1) {
        const key = `${prefix}/race-${round}`;
        const bodies = Array.from({ length: RACERS }, () => randomBytes(512));
        const outcomes = await Promise.all(
          bodies.map((body, i) => createDecided(at(stores, i), key, body, signal)),
        );
        const winners = bodies.filter((_, i) => outcomes[i] === "stored");
        expect(winners).toHaveLength(1);
        for (const store of stores) {
          const found = Buffer.from((await store.get(key, signal)) ?? "");
          expect(winners[0]?.equals(found)).toBe(true);
        }
      }
    });

    test("a reader sees a whole body, never part of one", async () => {
      const { stores, prefix } = await setUp();
      const key = `${prefix}/k`;
      const bodies = [Buffer.alloc(300_000, 1), Buffer.alloc(200_000, 2)];
      await at(stores, 0).put(key, bodies[0] ?? Buffer.alloc(0), {}, signal);
      const writes = (async () => {
        for (let i = 0; i < 20; i += 1) {
          await at(stores, i).put(key, bodies[i % 2] ?? Buffer.alloc(0), {}, signal);
        }
      })();
      for (let i = 0; i < 20; i += 1) {
        const found = Buffer.from((await at(stores, i).get(key, signal)) ?? "");
        expect(bodies.some((body) => body.equals(found))).toBe(true);
      }
      await writes;
    });

    test("takes packs of full size, several at a time", async () => {
      const { store, prefix } = await setUp();
      const bodies = Array.from({ length: 3 }, () => randomBytes(PACK_BYTES));
      await Promise.all(bodies.map((body, i) => store.put(`${prefix}/p-${i}`, body, {}, signal)));
      for (const [i, body] of bodies.entries()) {
        const found = Buffer.from((await store.get(`${prefix}/p-${i}`, signal)) ?? "");
        expect(found.equals(body)).toBe(true);
      }
      await store.delete(
        bodies.map((_, i) => `${prefix}/p-${i}`),
        signal,
      );
    });

    test("stops when the signal aborts", async () => {
      const { store, prefix } = await setUp();
      const aborted = AbortSignal.abort(new Error("enough"));
      await expect(store.get(`${prefix}/k`, aborted)).rejects.toThrow();
      await expect(store.put(`${prefix}/k`, Buffer.from("x"), {}, aborted)).rejects.toThrow();
      expect(await store.get(`${prefix}/k`, signal)).toBeNull();
    });

    test("passes the start-up probe", async () => {
      const { store, prefix } = await setUp();
      const checks = await probeStore({ store, prefix, probeId: randomUUID() }, signal);
      expect(checks.filter(({ outcome }) => outcome !== "passed")).toEqual([]);
    });
  });
};

const at = (stores: readonly ObjectStore[], index: number): ObjectStore => {
  const store = stores[index % stores.length];
  if (store === undefined) throw new Error("the subject opened no store");
  return store;
};

/**
 * A create whose outcome is unknown is repeated with the same body until the store says. "exists"
 * after an unknown outcome may be one's own body: then the stored body decides.
 */
const createDecided = async (
  store: ObjectStore,
  key: string,
  body: Buffer,
  signal: AbortSignal,
): Promise<PutOutcome> => {
  let isAmbiguous = false;
  for (;;) {
    try {
      const outcome = await store.put(key, body, { ifAbsent: true }, signal);
      if (outcome === "stored" || !isAmbiguous) return outcome;
      const found = await store.get(key, signal);
      return found !== null && body.equals(found) ? "stored" : "exists";
    } catch (error) {
      if (!(error instanceof AmbiguousError)) throw error;
      isAmbiguous = true;
    }
  }
};
