/** The chain of revisions over a store that loses replies, delays writes and has other writers. */
import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { AmbiguousError } from "../volume/errors.ts";
import { createMemoryObjectStore } from "../volume/memory-object-store.ts";
import type { ObjectStore, PutOutcome } from "../volume/object-store.ts";
import { Epoch, ProjectId, Revision } from "../workflows/ids.ts";
import { newProject } from "../workflows/new-project.ts";
import type { ProjectState } from "../workflows/record.ts";
import { openProjectRecords } from "./project-records.ts";
import { recordKey } from "./store-keys.ts";

const signal = new AbortController().signal;
const project = ProjectId.parse("p");
const SETTINGS = {
  repository: "r",
  ref: "refs/heads/main",
  file: "Deliverous",
  nodes: [],
  constraints: [],
};
const state = (epoch: number): ProjectState => ({
  ...newProject(project, SETTINGS),
  epochCounter: Epoch.parse(epoch),
});
const open = (store: ObjectStore) =>
  openProjectRecords({ store, nowMs: () => 0, newUuid: randomUUID });
/** Tells what it has read. */
const openCounted = (store: ObjectStore) => {
  const gets: string[] = [];
  const get: ObjectStore["get"] = (key, ...more) => {
    gets.push(key);
    return store.get(key, ...more);
  };
  return { reader: open({ ...store, get }), gets };
};
const ambiguous = () => new AmbiguousError("no reply", { code: "store-ambiguous" });

test("1: of two writers of the next revision one commits, the other reads the winner's", async () => {
  const store = createMemoryObjectStore();
  const [one, two] = [open(store), open(store)];
  const first = await one.save(project, null, state(0), signal);
  const outcomes = await Promise.allSettled([
    one.save(project, first, state(1), signal),
    two.save(project, first, state(2), signal),
  ]);
  expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  const winner = outcomes[0]?.status === "fulfilled" ? 1 : 2;
  expect((await two.load(project, signal))?.state.epochCounter).toBe(winner);
  expect((await one.load(project, signal))?.rev).toBe(1);
});

test("2: sixteen writers take turns: every step happens once", async () => {
  const store = createMemoryObjectStore();
  await open(store).save(project, null, state(0), signal);
  const bump = async (): Promise<void> => {
    const records = open(store);
    for (;;) {
      const loaded = await records.load(project, signal);
      if (loaded === null) throw new Error("no record");
      const next = state(loaded.state.epochCounter + 1);
      const saved = await records.save(project, loaded, next, signal).catch(() => null);
      if (saved !== null) return;
    }
  };
  await Promise.all(Array.from({ length: 16 }, bump));
  const last = await open(store).load(project, signal);
  expect([last?.rev, last?.state.epochCounter]).toEqual([16, 16]);
});

test("3: a write whose reply is lost is recognised as one's own", async () => {
  const store = createMemoryObjectStore();
  let losses = 2;
  const lossy: ObjectStore = {
    ...store,
    put: async (key, body, options, putSignal): Promise<PutOutcome> => {
      const outcome = await store.put(key, body, options, putSignal);
      if (options.ifAbsent === true && losses > 0) {
        losses -= 1;
        throw ambiguous();
      }
      return outcome;
    },
  };
  const saved = await open(lossy).save(project, null, state(0), signal);
  expect(losses).toBe(0);
  expect((await open(store).load(project, signal))?.writeId).toBe(saved.writeId);
});

test("4: a write that lands late either is the next revision or loses", async () => {
  const store = createMemoryObjectStore();
  const first = await open(store).save(project, null, state(0), signal);
  let land: () => Promise<PutOutcome> = async () => "exists";
  const slow: ObjectStore = {
    ...store,
    put: (key, body, options, putSignal) =>
      new Promise((_, reject) => {
        land = () => store.put(key, body, options, putSignal);
        reject(new Error("the process died"));
      }),
  };
  await expect(open(slow).save(project, first, state(7), signal)).rejects.toThrow("died");
  const other = await open(store).save(project, first, state(1), signal);
  expect(await land()).toBe("exists");
  expect((await open(store).load(project, signal))?.writeId).toBe(other.writeId);
});

test("22: a record of a newer schema is refused and left untouched", async () => {
  const store = createMemoryObjectStore();
  const newer = Buffer.from(JSON.stringify({ schema: 2, everything: "else" }));
  await store.put(recordKey(project, Revision.parse(0)), newer, {}, signal);
  const records = open(store);
  await expect(records.load(project, signal)).rejects.toMatchObject({ code: "record-too-new" });
  expect(await store.get(recordKey(project, Revision.parse(0)), signal)).toEqual(newer);
});

test("a reader finds the newest revision without the hint, and with a hint that is behind", async () => {
  const store = createMemoryObjectStore();
  const writer = open(store);
  let last = await writer.save(project, null, state(0), signal);
  for (let n = 1; n <= 6; n += 1) last = await writer.save(project, last, state(n), signal);
  expect((await open(store).load(project, signal))?.rev).toBe(6);
  await store.delete(["projects/p/record-latest"], signal);
  expect((await open(store).load(project, signal))?.rev).toBe(6);
});

test("22: a record with a key or a choice of a newer version is refused by name, and left untouched", async () => {
  const store = createMemoryObjectStore();
  const records = open(store);
  const first = await records.save(project, null, state(0), signal);
  const key = recordKey(project, Revision.parse(1));
  const refusalOf = async (news: object): Promise<unknown> => {
    const revision = {
      ...{ schema: 1, rev: 1, writeId: randomUUID(), prevWriteId: first.writeId, writtenAtMs: 0 },
      state: { ...state(1), ...news },
    };
    const body = Buffer.from(JSON.stringify(revision));
    await store.put(key, body, {}, signal);
    const refusal = await open(store)
      .load(project, signal)
      .catch(({ code, message }) => `${code}: ${message}`);
    // Who read the revision before can't write over this one either.
    await expect(records.save(project, first, state(2), signal)).rejects.toThrow("record 1 of p");
    expect(await store.get(key, signal)).toEqual(body);
    return refusal;
  };
  expect(await refusalOf({ isFrozen: true })).toBe(
    "record-too-new: record 1 of p has what this version does not know: state.isFrozen",
  );
  const deploy = { phase: { name: "mirroring" } };
  expect(await refusalOf({ deploy })).toMatch(/^record-too-new: .*state\.deploy\.phase/);
  expect(await refusalOf({ epochCounter: "three" })).toMatch(/^record-malformed/);
});

test("a reader that is far behind does not read every revision in between", async () => {
  const store = createMemoryObjectStore();
  const { reader, gets } = openCounted(store);
  const writer = open(store);
  let last = await writer.save(project, null, state(0), signal);
  await reader.load(project, signal);
  for (let n = 1; n <= 41; n += 1) last = await writer.save(project, last, state(n), signal);
  gets.length = 0;
  expect((await reader.load(project, signal))?.rev).toBe(41);
  // Four revisions, the hint, the one that it names, the last, and the one that is not there.
  expect(gets).toHaveLength(8);
  gets.length = 0;
  await reader.load(project, signal);
  expect(gets).toHaveLength(1);
});

test("a reader that is told of a revision begins there; one that is not there misleads nobody", async () => {
  const store = createMemoryObjectStore();
  const { reader, gets } = openCounted(store);
  const writer = open(store);
  let last = await writer.save(project, null, state(0), signal);
  await reader.load(project, signal);
  for (let n = 1; n <= 3; n += 1) last = await writer.save(project, last, state(n), signal);
  gets.length = 0;
  expect((await reader.load(project, signal, last.rev))?.rev).toBe(3);
  // The one that was named, and the one that is not there.
  expect(gets).toHaveLength(2);
  last = await writer.save(project, last, state(4), signal);
  expect((await reader.load(project, signal, Revision.parse(9)))?.rev).toBe(4);
  last = await writer.save(project, last, state(5), signal);
  expect((await reader.load(project, signal, Revision.parse(2)))?.rev).toBe(5);
});
