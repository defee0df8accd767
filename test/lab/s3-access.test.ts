/** A project's own space on a real gateway: what its keys open, what they don't, and their rotation. */
import {
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteBucketPolicyCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketPolicyCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutBucketAclCommand,
  PutBucketNotificationConfigurationCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectAclCommand,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  enableSpace,
  expireKeys,
  listSpaceKeys,
  revokeKey,
  rotateKey,
  setSpaceQuota,
} from "../../functions/spaces/manage-keys.ts";
import { findSpace, type Space, type SpacePorts } from "../../functions/spaces/space.ts";
import type { Lab } from "../../infra/lab/connect-lab.ts";
import { attachOrStartLab, FULL_LAB } from "../../infra/lab/lab.ts";
import { ProjectId } from "../../workflows/ids.ts";
import { intrusions } from "./intrusions.ts";
import {
  connectLabSpaces,
  connectUser,
  requireStore,
  spacesEnvironment,
  statusOf,
} from "./spaces-scene.ts";

const signal = AbortSignal.timeout(280_000);
const [MINE, THEIRS] = ["mine", "theirs"].map((name) => ProjectId.parse(name)) as [
  ProjectId,
  ProjectId,
];
let lab: Lab;
let ports: SpacePorts;
let mine: { readonly space: Space; readonly client: S3Client };
let theirs: typeof mine;

const enable = async (project: ProjectId): Promise<typeof mine> => {
  const { space, key } = await enableSpace(ports, project, signal);
  if (key === null) throw new Error("no key was shown");
  return { space, client: connectUser(space, key) };
};

beforeAll(async () => {
  lab = await attachOrStartLab({ ...FULL_LAB, engines: 0, elasticmq: false }, console.log, signal);
  ports = connectLabSpaces(await spacesEnvironment(lab, signal));
  [mine, theirs] = await Promise.all([enable(MINE), enable(THEIRS)]);
  for (const { space } of [mine, theirs]) {
    const bucket = ports.openAsOwner?.(space.bucket);
    const notes = { contentType: "text/plain", metadata: {} };
    await bucket?.put("volumes/data/a.txt", Buffer.from("published"), notes, signal);
    await bucket?.put(".bagage/data/snapshot.json", Buffer.from("{}"), notes, signal);
  }
  const { bucket } = theirs.space;
  await theirs.client.send(new PutObjectCommand({ Bucket: bucket, Key: "own.txt", Body: "own" }));
});
afterAll(() => lab.stop(signal));

test("the project's own prefix is read-write: put, get, list, copy, multi-delete", async () => {
  const { client, space } = mine;
  const Bucket = space.bucket;
  await client.send(new PutObjectCommand({ Bucket, Key: "a/1", Body: "one" }));
  const CopySource = `${Bucket}/volumes/data/a.txt`;
  await client.send(new CopyObjectCommand({ Bucket, Key: "a/2", CopySource }));
  const listed = await client.send(new ListObjectsV2Command({ Bucket, Prefix: "a/" }));
  expect(listed.Contents?.map(({ Key }) => Key)).toEqual(["a/1", "a/2"]);
  const read = await client.send(new GetObjectCommand({ Bucket, Key: "a/2", Range: "bytes=0-2" }));
  expect(await read.Body?.transformToString()).toBe("pub");
  const Objects = [{ Key: "a/1" }, { Key: "a/2" }];
  await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
  expect((await client.send(new ListObjectsV2Command({ Bucket, Prefix: "a/" }))).KeyCount).toBe(0);
});

test("what is published can be read and not be changed, by no way", async () => {
  const { client, space } = mine;
  const Bucket = space.bucket;
  const [Key, Body] = ["volumes/data/a.txt", "x"];
  await client.send(new PutObjectCommand({ Bucket, Key: "spare", Body }));
  expect(await statusOf(client.send(new GetObjectCommand({ Bucket, Key })))).toBe(200);
  const refused = await Promise.all(
    [Key, ".bagage/data/snapshot.json", "volumes/new"].flatMap((key) => [
      statusOf(client.send(new PutObjectCommand({ Bucket, Key: key, Body }))),
      statusOf(client.send(new DeleteObjectCommand({ Bucket, Key: key }))),
      statusOf(client.send(new CreateMultipartUploadCommand({ Bucket, Key: key }))),
      statusOf(
        client.send(new CopyObjectCommand({ Bucket, Key: key, CopySource: `${Bucket}/spare` })),
      ),
    ]),
  );
  expect(new Set(refused)).toEqual(new Set([403]));
  const acl = { Bucket, Key, ACL: "public-read-write" as const };
  expect(await statusOf(client.send(new PutObjectAclCommand(acl)))).toBe(403);
  const Objects = [{ Key }, { Key: "spare" }];
  const deleted = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
  expect(deleted.Errors?.map((error) => [error.Key, error.Code])).toEqual([[Key, "AccessDenied"]]);
  expect(await statusOf(client.send(new GetObjectCommand({ Bucket, Key })))).toBe(200);
});

test("the project's user can't change what it may do, nor make or delete a bucket", async () => {
  const { client, space } = mine;
  const Bucket = space.bucket;
  const Policy = JSON.stringify({ Version: "2012-10-17", Statement: [] });
  const refused = await Promise.all([
    statusOf(client.send(new PutBucketPolicyCommand({ Bucket, Policy }))),
    statusOf(client.send(new GetBucketPolicyCommand({ Bucket }))),
    statusOf(client.send(new DeleteBucketPolicyCommand({ Bucket }))),
    statusOf(client.send(new PutBucketAclCommand({ Bucket, ACL: "public-read-write" }))),
    statusOf(client.send(new DeleteBucketCommand({ Bucket }))),
    statusOf(client.send(new CreateBucketCommand({ Bucket: `${Bucket}-2` }))),
    statusOf(
      client.send(
        new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }),
      ),
    ),
    statusOf(
      client.send(
        new PutBucketNotificationConfigurationCommand({ Bucket, NotificationConfiguration: {} }),
      ),
    ),
  ]);
  expect(new Set(refused)).toEqual(new Set([403]));
});

test("52: one project's keys on another's data and on the platform's: 403 each", async () => {
  const s3 = requireStore(lab);
  const platform = connectUser({ endpoint: s3.endpoint, region: s3.region }, s3);
  const Key = "projects/theirs/record/0000000001.json";
  await platform.send(new PutObjectCommand({ Bucket: s3.bucket, Key, Body: "record" }));
  const places = [
    [theirs.space.bucket, "own.txt"],
    [theirs.space.bucket, "volumes/data/a.txt"],
    [s3.bucket, Key],
  ] as const;
  for (const [bucket, key] of places) {
    const calls = intrusions(mine.client, mine.space.bucket, bucket, key);
    const answers = Object.fromEntries(
      await Promise.all(
        Object.entries(calls).map(async ([what, call]) => [what, await statusOf(call)] as const),
      ),
    );
    const expected = Object.fromEntries(Object.keys(answers).map((what) => [what, 403]));
    expect(answers, `${bucket} ${key}`).toEqual(expected);
  }
  const kept = await platform.send(new GetObjectCommand({ Bucket: s3.bucket, Key }));
  expect(await kept.Body?.transformToString()).toBe("record");
});

test("52: the platform's own keys reach no project's files, the publisher's no record", async () => {
  const s3 = requireStore(lab);
  const platform = connectUser({ endpoint: s3.endpoint, region: s3.region }, s3);
  const { bucket: Bucket } = mine.space;
  expect(await statusOf(platform.send(new ListObjectsV2Command({ Bucket })))).toBe(403);
  const owner = ports.openAsOwner?.(s3.bucket);
  await expect(owner?.get("projects/theirs/record/0000000001.json", signal)).rejects.toMatchObject({
    code: "store-denied",
  });
});

test("enabling again changes nothing and shows no key", async () => {
  const again = await enableSpace(ports, MINE, signal);
  expect(again.key).toBeNull();
  expect(again.space).toEqual(await findSpace(ports, MINE, signal));
  expect(await listSpaceKeys(ports, MINE, signal)).toHaveLength(2);
});

test("what the platform remembers of a client's key is not its secret", async () => {
  const stored = JSON.stringify(await findSpace(ports, THEIRS, signal));
  const credentials = await theirs.client.config.credentials();
  expect(stored).toContain(credentials.accessKeyId);
  expect(stored).not.toContain(credentials.secretAccessKey);
});

test("rotation under load: no request with a valid key fails, through any gateway", async () => {
  const project = ProjectId.parse("rotating");
  const { space, key } = await enableSpace(ports, project, signal);
  if (key === null) throw new Error("no key was shown");
  const { endpoints } = requireStore(lab);
  let answered = 0;
  const failures: unknown[] = [];
  const load = async (credentials: typeof key, done: AbortSignal): Promise<void> => {
    const clients = endpoints.map((endpoint) => connectUser({ ...space, endpoint }, credentials));
    for (let n = 0; !done.aborted; n += 1) {
      const client = clients[n % clients.length] as S3Client;
      const put = { Bucket: space.bucket, Key: `load/${n % 20}`, Body: "x" };
      await client.send(new PutObjectCommand(put)).then(
        () => {
          answered += 1;
        },
        (error: unknown) => failures.push(error),
      );
    }
  };
  const [oldDone, newDone] = [new AbortController(), new AbortController()];
  const oldLoads = [load(key, oldDone.signal), load(key, oldDone.signal)];
  const rotated = await rotateKey(ports, project, { purpose: "client", overlapMs: 0 }, signal);
  const newLoads = [load(rotated.key, newDone.signal), load(rotated.key, newDone.signal)];
  await expect.poll(() => answered, { timeout: 60_000 }).toBeGreaterThan(200);
  oldDone.abort();
  await Promise.all(oldLoads);
  expect(await expireKeys(ports, signal)).toBe(1);
  const before = answered;
  await expect.poll(() => answered, { timeout: 60_000 }).toBeGreaterThan(before + 100);
  newDone.abort();
  await Promise.all(newLoads);
  expect(failures).toEqual([]);
  const old = connectUser(space, key);
  const list = new ListObjectsV2Command({ Bucket: space.bucket });
  expect(await statusOf(old.send(list))).toBe(403);
  const keys = await listSpaceKeys(ports, project, signal);
  expect(keys.map(({ purpose, expiresAtMs }) => [purpose, expiresAtMs]).sort()).toEqual([
    ["client", null],
    ["container", null],
  ]);
});

test("a revoked key opens nothing, at once", async () => {
  const project = ProjectId.parse("revoked");
  const { space, key } = await enableSpace(ports, project, signal);
  if (key === null) throw new Error("no key was shown");
  const list = new ListObjectsV2Command({ Bucket: space.bucket });
  expect(await statusOf(connectUser(space, key).send(list))).toBe(200);
  await revokeKey(ports, project, key.accessKeyId, signal);
  expect(await statusOf(connectUser(space, key).send(list))).toBe(403);
  await expect(revokeKey(ports, project, "NOSUCHKEY", signal)).rejects.toMatchObject({
    code: "unknown-key",
  });
});

test("a quota stops what is too much, and can be taken away", async () => {
  const { client, space } = theirs;
  const put = { Bucket: space.bucket, Key: "large", Body: Buffer.alloc(200_000) };
  await setSpaceQuota(ports, THEIRS, { bytes: 100_000, objects: null }, signal);
  expect(await statusOf(client.send(new PutObjectCommand(put)))).toBe(403);
  await setSpaceQuota(ports, THEIRS, { bytes: null, objects: null }, signal);
  expect(await statusOf(client.send(new PutObjectCommand(put)))).toBe(200);
});
