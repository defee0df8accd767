import { randomBytes } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openVolumePair, PREFIX, type VolumePair } from "../test/trees/volume-pair.ts";
import { diffSnapshots, findEntry, listEntries } from "./list-entries.ts";
import { readContent } from "./read-content.ts";
import { type VerifyReport, verifySnapshot } from "./verify.ts";

const { signal } = new AbortController();
let pair: VolumePair;
beforeEach(() => {
  pair = openVolumePair();
});
afterEach(() => pair.remove());

const placeOf = (snapshotId: string) => ({ store: pair.store, prefix: PREFIX, snapshotId });
const verify = (snapshotId: string, readData: boolean): Promise<VerifyReport> =>
  verifySnapshot({ ...placeOf(snapshotId), readData }, signal);
const write = (name: string, body: string | Buffer) =>
  writeFileSync(`${pair.source}/${name}`, body);

test("a whole snapshot verifies, and all its bytes are read when asked", async () => {
  write("a", randomBytes(3_000_000));
  write("b", "text");
  const { snapshotId } = await pair.snapshot();
  const sizes = await verify(snapshotId, false);
  expect(sizes).toMatchObject({ isWhole: true, problems: [] });
  const data = await verify(snapshotId, true);
  expect(data).toMatchObject({ isWhole: true, problems: [] });
  expect(data.checkedBytes).toBeGreaterThan(3_000_000);
});

test("a damaged pack is named with the files it hits, and no other", async () => {
  write("early", randomBytes(5_000_000));
  const first = await pair.snapshot();
  write("late", randomBytes(100_000));
  const second = await pair.snapshot();
  const key = `${PREFIX}/e1/a2/p-0`;
  const body = pair.store.objects.get(key);
  if (body === undefined) throw new Error("the second snapshot stored no pack");
  body[50_000] = (body[50_000] ?? 0) ^ 1;
  expect(await verify(second.snapshotId, false)).toMatchObject({ isWhole: true });
  const report = await verify(second.snapshotId, true);
  expect(report.problems).toEqual([
    expect.objectContaining({ object: "e1/a2/p-0", paths: ["late"], pathCount: 1 }),
  ]);
  expect(await verify(first.snapshotId, true)).toMatchObject({ isWhole: true });
});

test("a missing pack, a short one, a missing segment and a missing snapshot are named", async () => {
  write("a", randomBytes(100_000));
  const { snapshotId } = await pair.snapshot();
  for (const [key, body] of [...pair.store.objects]) {
    pair.store.objects.delete(key);
    expect((await verify(snapshotId, false)).isWhole, key).toBe(false);
    pair.store.objects.set(key, body.subarray(0, -1));
    expect((await verify(snapshotId, false)).isWhole, key).toBe(false);
    pair.store.objects.set(key, body);
  }
  expect(await verify(snapshotId, true)).toMatchObject({ isWhole: true });
  expect((await verify("never-taken", false)).problems).toEqual([
    expect.objectContaining({ object: "snapshots/never-taken", problem: "is missing" }),
  ]);
});

test("entries are listed and compared without a hydrate", async () => {
  write("same", "same");
  write("gone", "gone");
  write("other", "before");
  const before = await pair.snapshot();
  write("other", "after");
  write("new", "new");
  rmSync(`${pair.source}/gone`);
  const after = await pair.snapshot();
  const names: string[] = [];
  for await (const { path } of listEntries(placeOf(after.snapshotId), signal)) {
    names.push(path.toString());
  }
  expect(names).toEqual(["", "new", "other", "same"]);
  const differences: string[] = [];
  const places = [placeOf(before.snapshotId), placeOf(after.snapshotId)] as const;
  for await (const { path, before: a, after: b } of diffSnapshots(...places, signal)) {
    differences.push(`${a === null ? "+" : b === null ? "-" : "~"} ${path.toString()}`);
  }
  expect(differences).toEqual(["~ ", "- gone", "+ new", "~ other"]);
});

test("a file's content is read from the store, holes and all", async () => {
  const body = Buffer.concat([Buffer.alloc(2_500_000), randomBytes(40_000), Buffer.alloc(70_001)]);
  write("file", body);
  const { snapshotId } = await pair.snapshot();
  const entry = await findEntry(placeOf(snapshotId), Buffer.from("file"), signal);
  if (entry?.type !== "file") throw new Error("the file is not in the snapshot");
  const parts: Buffer[] = [];
  for await (const part of readContent(placeOf(snapshotId), entry, signal)) parts.push(part);
  expect(Buffer.concat(parts).equals(body)).toBe(true);
  expect(await findEntry(placeOf(snapshotId), Buffer.from("none"), signal)).toBeNull();
});
