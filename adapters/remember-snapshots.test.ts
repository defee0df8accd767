import { expect, test } from "vitest";
import { createMemoryObjectStore } from "../volume/memory-object-store.ts";
import { rememberSnapshots } from "./remember-snapshots.ts";

const signal = new AbortController().signal;
const keyOf = (id: string) => `projects/p/volumes/v/snapshots/${id}`;

const openCounted = (bytesMax?: number) => {
  const memory = createMemoryObjectStore();
  const gets: string[] = [];
  const counted = {
    ...memory,
    get: (key: string, getSignal: AbortSignal) => {
      gets.push(key);
      return memory.get(key, getSignal);
    },
  };
  return { memory, gets, store: rememberSnapshots(counted, bytesMax) };
};

test("a snapshot is read once; what is missing, and everything else, is asked for each time", async () => {
  const { memory, gets, store } = openCounted();
  expect(await store.get(keyOf("a"), signal)).toBeNull();
  await memory.put(keyOf("a"), Buffer.from("body"), {}, signal);
  await memory.put("projects/p/record-latest", Buffer.from("1"), {}, signal);
  for (let n = 0; n < 3; n += 1) {
    expect(await store.get(keyOf("a"), signal)).toEqual(Buffer.from("body"));
    await store.get("projects/p/record-latest", signal);
  }
  expect(gets.filter((key) => key === keyOf("a"))).toHaveLength(2);
  expect(gets.filter((key) => key !== keyOf("a"))).toHaveLength(3);
});

test("a deleted snapshot is gone", async () => {
  const { store } = openCounted();
  await store.put(keyOf("a"), Buffer.from("body"), {}, signal);
  await store.get(keyOf("a"), signal);
  await store.delete([keyOf("a")], signal);
  expect(await store.get(keyOf("a"), signal)).toBeNull();
});

test("what was asked for longest ago is forgotten first", async () => {
  const { gets, store } = openCounted(20);
  for (const id of ["a", "b"]) await store.put(keyOf(id), Buffer.alloc(10), {}, signal);
  await store.put(keyOf("c"), Buffer.alloc(10), {}, signal);
  for (const id of ["a", "b", "a", "c", "a", "b"]) await store.get(keyOf(id), signal);
  expect(gets.map((key) => key.at(-1))).toEqual(["a", "b", "c", "b"]);
});
