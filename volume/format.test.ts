/** What the first version wrote must be readable for ever, and what is written today is as written down. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { zstdDecompressSync } from "node:zlib";
import { expect, test } from "vitest";
import * as z from "zod";
import { describeTree } from "../test/trees/describe-tree.ts";
import { openVolumePair } from "../test/trees/volume-pair.ts";
import { decodeSnapshot } from "./snapshot.ts";

const Golden = z.strictObject({
  prefix: z.string(),
  snapshots: z.array(
    z.strictObject({ id: z.string(), digest: z.string(), tree: z.array(z.string()) }),
  ),
  objects: z.record(z.string(), z.base64()),
});
const golden = Golden.parse(
  JSON.parse(readFileSync(new URL("../test/golden/format-1.json", import.meta.url), "utf8")),
);

test("the golden repository hydrates as it was taken", async () => {
  const pair = openVolumePair();
  try {
    for (const [key, body] of Object.entries(golden.objects)) {
      pair.store.objects.set(key, Buffer.from(body, "base64"));
    }
    for (const { id, digest, tree } of golden.snapshots) {
      expect((await pair.hydrateTo("copy", id)).digest).toBe(digest);
      expect(describeTree(pair.pathOf("copy"))).toEqual(tree);
    }
  } finally {
    pair.remove();
  }
});

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** Reads the golden repository by docs/format.md alone, with none of the engine's code. */
test("the format is as docs/format.md says", () => {
  const objectAt = (name: string): Buffer =>
    Buffer.from(golden.objects[`${golden.prefix}/${name}`] ?? "", "base64");
  const stored = objectAt("snapshots/s2");
  const body = stored.subarray(64);
  expect(stored.subarray(0, 64).toString("latin1")).toBe(sha256(body));
  const snapshot = JSON.parse(zstdDecompressSync(body).toString());
  expect(snapshot).toMatchObject({ format: 1, id: "s2", parent: "s1", epoch: 1, attempt: "a2" });
  expect(sha256(Buffer.from(snapshot.segments.map((row: string[]) => row[4]).join("\n")))).toBe(
    snapshot.digest,
  );
  for (const [name, bytes] of snapshot.packs) expect(objectAt(name)).toHaveLength(bytes);
  for (const [name, digest, bytes, count, contentDigest] of snapshot.segments) {
    expect(objectAt(name)).toHaveLength(bytes);
    expect(sha256(objectAt(name))).toBe(digest);
    const segment = JSON.parse(zstdDecompressSync(objectAt(name)).toString());
    expect(segment.entries).toHaveLength(count);
    expect(contentDigestOf(segment.entries)).toBe(contentDigest);
    for (const [pack, offset, storedBytes, rawBytes, codec, frameDigest] of segment.frames) {
      const frame = objectAt(segment.packs[pack]).subarray(offset, offset + storedBytes);
      expect(sha256(frame)).toBe(frameDigest);
      expect(codec === "zstd" ? zstdDecompressSync(frame) : frame).toHaveLength(rawBytes);
    }
  }
});

interface EntryRow {
  readonly path: string | [string];
  readonly type: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: string;
  readonly xattrs?: [string, string][];
  readonly size?: number;
  readonly digest?: string;
  readonly target?: string | [string];
}

const base64Of = (text: string | [string]): string =>
  typeof text === "string" ? Buffer.from(text).toString("base64") : text[0];

const contentDigestOf = (entries: readonly EntryRow[]): string => {
  const lines = entries.map((entry) =>
    JSON.stringify([
      base64Of(entry.path),
      entry.type,
      entry.mode,
      entry.uid,
      entry.gid,
      entry.mtimeNs,
      entry.xattrs ?? [],
      entry.type === "file" ? [entry.size, entry.digest] : null,
      entry.target === undefined ? null : base64Of(entry.target),
    ]),
  );
  return sha256(Buffer.from(lines.map((line) => `${line}\n`).join("")));
};

test("a snapshot of a later format is refused by name", () => {
  const stored = Buffer.from(golden.objects[`${golden.prefix}/snapshots/s1`] ?? "", "base64");
  expect(decodeSnapshot("s1", stored).format).toBe(1);
  expect(() => decodeSnapshot("other", stored)).toThrow(/malformed/);
});
