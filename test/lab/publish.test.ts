/** A volume's files as plain objects: what is written, what a change costs, what a break leaves. */
import { randomBytes } from "node:crypto";
import {
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { unchanging } from "../../adapters/live-keys.ts";
import { KEY_BYTES, parseWrappingKeys } from "../../functions/project-keys.ts";
import type { Lab } from "../../infra/lab/connect-lab.ts";
import { attachOrStartLab, FULL_LAB } from "../../infra/lab/lab.ts";
import { openPublishScene, SPACES_GATEWAY } from "./publish-scene.ts";
import { connectUser, requireStore } from "./spaces-scene.ts";

/** 20,000 take a minute or two; the cost of a change does not depend on it. */
const FILES = Number(process.env["BAGAGE_PUBLISH_FILES"] ?? 600);
const CHANGED = 10;
const signal = AbortSignal.timeout(290_000);
let lab: Lab;
let scene: Awaited<ReturnType<typeof openPublishScene>>;
let client: S3Client;

const listKeys = async (prefix: string): Promise<string[]> => {
  const keys: string[] = [];
  let token: string | undefined;
  do {
    const page = await client.send(
      new ListObjectsV2Command({
        Bucket: scene.space.bucket,
        Prefix: prefix,
        ContinuationToken: token,
      }),
    );
    keys.push(...(page.Contents ?? []).map(({ Key }) => Key ?? ""));
    token = page.NextContinuationToken;
  } while (token !== undefined);
  return keys;
};
const readText = async (Key: string): Promise<string> => {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: scene.space.bucket, Key }));
  return (await Body?.transformToString()) ?? "";
};
const readJson = async (key: string): Promise<unknown> => JSON.parse(await readText(key));
const fileName = (n: number): string => `d${n % 50}/file-${n}.txt`;
const path = (...names: string[]): string => join(scene.source, ...names);

beforeAll(async () => {
  lab = await attachOrStartLab(FULL_LAB, console.log, signal);
  scene = await openPublishScene(lab, "publish", signal);
  client = connectUser(scene.space, scene.key);
  for (let n = 0; n < 50; n += 1) mkdirSync(path(`d${n}`));
  for (let n = 0; n < FILES; n += 1) writeFileSync(path(fileName(n)), `content ${n}\n`.repeat(50));
  writeFileSync(path("page.html"), "<p>page</p>");
  writeFileSync(path("large.bin"), Buffer.alloc(20 * 2 ** 20, "large file "));
  writeFileSync(path("empty"), "");
  utimesSync(path("page.html"), 1_000_000_000.25, 1_000_000_000.25);
  await scene.snapshot();
});
afterAll(async () => {
  scene?.close();
  await lab?.stop(signal);
});

test("every file of the head is an object, with its type and time; a marker names the snapshot", async () => {
  await scene.publish();
  const keys = await listKeys("volumes/data/");
  expect(keys).toHaveLength(FILES + 3);
  expect(await readText(`volumes/data/${fileName(7)}`)).toBe("content 7\n".repeat(50));
  const page = { Bucket: scene.space.bucket, Key: "volumes/data/page.html" };
  expect(await client.send(new HeadObjectCommand(page))).toMatchObject({
    ContentType: "text/html",
    Metadata: { mtime: "1000000000.250000000" },
  });
  const large = { Bucket: scene.space.bucket, Key: "volumes/data/large.bin" };
  const { Body } = await client.send(new GetObjectCommand(large));
  const bytes = Buffer.from((await Body?.transformToByteArray()) ?? []);
  expect(bytes.equals(Buffer.alloc(20 * 2 ** 20, "large file "))).toBe(true);
  const publication = await scene.publication();
  expect(await readJson(".bagage/data/snapshot.json")).toEqual({
    snapshot: publication?.snapshotId,
    publishing: null,
  });
  expect(await readJson(".bagage/data/left-out.json")).toEqual([]);
});

test(`${CHANGED} changed files cost about ${CHANGED} PUTs, as the gateway counts them`, async () => {
  const s3 = requireStore(lab);
  for (let n = 0; n < CHANGED; n += 1) writeFileSync(path(fileName(n * 31)), `changed ${n}`);
  await scene.snapshot();
  const before = await s3.countPuts(SPACES_GATEWAY, signal);
  const began = performance.now();
  await scene.publish();
  const ms = performance.now() - began;
  const puts = (await s3.countPuts(SPACES_GATEWAY, signal)) - before;
  console.log(`${CHANGED} of ${FILES} files: ${puts} PUTs, ${ms.toFixed(0)} ms`);
  // The marker is written before and after.
  expect(puts).toBe(CHANGED + 2);
  expect(ms).toBeLessThan(15_000);
  expect(await readText(`volumes/data/${fileName(31)}`)).toBe("changed 1");
});

test("what vanished is deleted, a renamed file moves, a file that became a directory makes way", async () => {
  rmSync(path(fileName(1)));
  renameSync(path(fileName(2)), path("moved.txt"));
  rmSync(path("empty"));
  mkdirSync(path("empty"));
  writeFileSync(path("empty", "inner"), "inner");
  await scene.snapshot();
  await scene.publish();
  const keys = await listKeys("volumes/data/");
  expect(keys).toHaveLength(FILES - 1 + 3);
  const named = ["moved.txt", "empty/inner", "empty", fileName(1), fileName(2)];
  expect(named.map((name) => keys.includes(`volumes/data/${name}`))).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
});

test("names that can't be keys, links and pipes are listed; hard links are objects of their own", async () => {
  const odd = Buffer.concat([Buffer.from(`${scene.source}/odd-`), Buffer.from([0xff, 0xfe])]);
  writeFileSync(odd, "odd");
  writeFileSync(path("new\nline"), "x");
  const deep = Array.from({ length: 6 }, () => "x".repeat(200));
  mkdirSync(path(...deep), { recursive: true });
  writeFileSync(path(...deep, "f"), "deep");
  symlinkSync("page.html", path("link"));
  writeFileSync(path("été ☃ ~'&+.txt"), "unicode");
  linkSync(path("page.html"), path("z-page.html"));
  await scene.snapshot();
  await scene.publish();
  const leftOut = (await readJson(".bagage/data/left-out.json")) as {
    name: string;
    reason: string;
  }[];
  expect(leftOut.map(({ reason }) => reason).sort()).toEqual([
    "a symbolic link, to page.html",
    "its key would be longer than 1024 bytes",
    "its name has a control character",
    "its name is not UTF-8",
  ]);
  expect(await readText("volumes/data/été ☃ ~'&+.txt")).toBe("unicode");
  expect(await readText("volumes/data/z-page.html")).toBe("<p>page</p>");
  writeFileSync(path("page.html"), "<p>new</p>");
  rmSync(path("link"));
  writeFileSync(path("link"), "no link any more");
  await scene.snapshot();
  await scene.publish();
  expect(await readText("volumes/data/z-page.html")).toBe("<p>new</p>");
  expect(await readText("volumes/data/link")).toBe("no link any more");
  expect(await readJson(".bagage/data/left-out.json")).toHaveLength(3);
});

test("a publisher that breaks off is gone on from where it was, by another; a lost message costs nothing", async () => {
  for (let n = 0; n < FILES; n += 1) writeFileSync(path(fileName(n)), `again ${n}`);
  await scene.snapshot();
  const broken = new AbortController();
  let puts = 0;
  const { openAsOwner } = scene.ports.spaces;
  if (openAsOwner === null) throw new Error("no publisher");
  // Time flies for this publisher, so that it takes its notes after each batch.
  let nowMs = Date.now();
  const spaces = {
    ...scene.ports.spaces,
    openAsOwner: (bucket: string) => {
      const real = openAsOwner(bucket);
      return {
        ...real,
        put: async (...args: Parameters<typeof real.put>) => {
          puts += 1;
          if (puts > FILES / 2) broken.abort(new Error("killed"));
          return real.put(...args);
        },
      };
    },
  };
  const ports = { spaces, nowMs: () => (nowMs += 10_000) };
  await expect(scene.publish(ports, broken.signal)).rejects.toThrow("killed");
  const marker = await readJson(".bagage/data/snapshot.json");
  const { target, snapshotId, claim } = (await scene.publication()) ?? {};
  expect(marker).toEqual({ snapshot: snapshotId, publishing: target });
  // While its claim holds, nobody else begins.
  await scene.publish();
  expect((await scene.publication())?.target).toBe(target);
  scene.sent.length = 0;
  const later = (claim?.untilMs ?? 0) + 1;
  const before = await requireStore(lab).countPuts(SPACES_GATEWAY, signal);
  await scene.publish({ nowMs: () => later });
  const done = (await requireStore(lab).countPuts(SPACES_GATEWAY, signal)) - before;
  expect(done).toBeLessThan(FILES * 0.8);
  expect((await scene.publication())?.snapshotId).toBe(target);
  const texts = await Promise.all(
    [0, FILES - 1].map((n) => readText(`volumes/data/${fileName(n)}`)),
  );
  expect(texts).toEqual([`again 0`, `again ${FILES - 1}`]);
  await scene.snapshot();
  await scene.advance();
  expect(scene.sent).toContainEqual(
    expect.objectContaining({ type: "volume.publish", project: scene.project, volume: "data" }),
  );
});

test("`publish` taken out of the file takes the objects away", async () => {
  await scene.edit((volume) => ({ ...volume, settings: { onNodeLoss: "wait" } }));
  await scene.publish();
  expect(await listKeys("")).toEqual([]);
  expect(await scene.publication()).toBeNull();
});

test("a sealed project's files are published in the clear; a publisher without the key says which", async () => {
  const keys = parseWrappingKeys(randomBytes(KEY_BYTES).toString("hex")) ?? [];
  const sealed = await openPublishScene(lab, "sealed", signal, keys);
  try {
    writeFileSync(join(sealed.source, "secret.txt"), "plain to the user");
    await sealed.snapshot();
    await sealed.publish({ wrappingKeys: unchanging([]) });
    expect((await sealed.publication())?.failure?.reason).toContain(keys[0]?.id);
    await sealed.retry();
    await sealed.publish();
    const { bucket: Bucket } = sealed.space;
    const Key = "volumes/data/secret.txt";
    const user = connectUser(sealed.space, sealed.key);
    const { Body } = await user.send(new GetObjectCommand({ Bucket, Key }));
    expect(await Body?.transformToString()).toBe("plain to the user");
    for await (const { key } of sealed.ports.store.list(`projects/${sealed.project}/`, signal)) {
      const stored = await sealed.ports.store.get(key, signal);
      expect(Buffer.from(stored ?? []).includes("plain to the user"), key).toBe(false);
    }
  } finally {
    sealed.close();
  }
});
