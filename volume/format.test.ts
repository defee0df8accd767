/** What the first version wrote must be readable for ever, and what is written today is as written down. */
import { createDecipheriv, createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { zstdDecompressSync } from "node:zlib";
import { expect, test } from "vitest";
import * as z from "zod";
import { describeTree } from "../test/trees/describe-tree.ts";
import { openVolumePair } from "../test/trees/volume-pair.ts";
import { decodeSnapshot } from "./snapshot.ts";

const Golden = z.strictObject({
  prefix: z.string(),
  keys: z.array(z.strictObject({ id: z.string(), secret: z.base64() })).default([]),
  snapshots: z.array(
    z.strictObject({
      prefix: z.string().optional(),
      id: z.string(),
      digest: z.string(),
      tree: z.array(z.string()),
    }),
  ),
  objects: z.record(z.string(), z.base64()),
});

const readGolden = (format: number) =>
  Golden.parse(
    JSON.parse(
      readFileSync(new URL(`../test/golden/format-${format}.json`, import.meta.url), "utf8"),
    ),
  );
const golden = readGolden(1);

test.for([1, 2, 3])(
  "the golden repository of format %d hydrates as it was taken",
  async (format) => {
    const { prefix, keys, snapshots, objects } = readGolden(format);
    const pair = openVolumePair();
    const known = keys.map(({ id, secret }) => ({ id, secret: Buffer.from(secret, "base64") }));
    try {
      for (const [key, body] of Object.entries(objects)) {
        pair.store.objects.set(key, Buffer.from(body, "base64"));
      }
      for (const snapshot of snapshots) {
        const more = { keys: { current: null, keys: known }, prefix: snapshot.prefix ?? prefix };
        expect((await pair.hydrateTo("copy", snapshot.id, more)).digest).toBe(snapshot.digest);
        expect(describeTree(pair.pathOf("copy"))).toEqual(snapshot.tree);
      }
    } finally {
      pair.remove();
    }
  },
);

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

/** Opens what is sealed by docs/format.md alone. */
test("sealed objects are as docs/format.md says", () => {
  const { prefix, keys, objects } = readGolden(3);
  const objectAt = (name: string): Buffer =>
    Buffer.from(objects[`${prefix}/${name}`] ?? "", "base64");
  const open = (box: Buffer, place: string): Buffer => {
    const key = keys.find(({ id }) => id === box.toString("hex", 0, 8));
    const secret = Buffer.from(key?.secret ?? "", "base64");
    const decipher = createDecipheriv("aes-256-gcm", secret, box.subarray(8, 20));
    decipher.setAAD(Buffer.from(place)).setAuthTag(box.subarray(-16));
    return Buffer.concat([decipher.update(box.subarray(20, -16)), decipher.final()]);
  };
  const stored = objectAt("snapshots/s2");
  expect(stored.toString("latin1", 0, 8)).toBe("bagage3\n");
  expect(stored.toString("latin1", 8, 72)).toBe(sha256(stored.subarray(72)));
  const end = 76 + stored.readUInt32LE(72);
  const outline = stored.subarray(76, end);
  const place = `snapshot ${prefix}/snapshots/s2 ${sha256(outline)}`;
  const snapshot = JSON.parse(zstdDecompressSync(open(stored.subarray(end), place)).toString());
  const { format, id, epoch, attempt, parent, packs, segments } = snapshot;
  expect(JSON.parse(zstdDecompressSync(outline).toString())).toEqual({
    ...{ format, id, epoch, attempt, parent },
    objects: [...packs, ...segments.map((row: string[]) => [row[0], row[2]])],
  });
  expect(format).toBe(3);
  for (const [name] of segments) {
    const sealed = open(objectAt(name), `segment ${prefix}/${name}`);
    const segment = JSON.parse(zstdDecompressSync(sealed).toString());
    for (const [pack, offset, storedBytes, rawBytes, codec, digest] of segment.frames) {
      const frame = objectAt(segment.packs[pack]).subarray(offset, offset + storedBytes);
      expect(sha256(frame)).toBe(digest);
      const opened = open(frame, `frame ${prefix}/${segment.packs[pack]} ${offset}`);
      const raw = codec === "sealed-zstd" ? zstdDecompressSync(opened) : opened;
      expect(raw).toHaveLength(rawBytes);
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
  expect(decodeSnapshot({ prefix: golden.prefix, snapshotId: "s1" }, stored).format).toBe(1);
  expect(() => decodeSnapshot({ prefix: golden.prefix, snapshotId: "other" }, stored)).toThrow(
    /malformed/,
  );
});
